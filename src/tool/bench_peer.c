/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of `crossvm bench`, and its side that does what the other orders: --serve. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

/* --- messages --- */

int bench_send(crossvm_channel_t *channel, const void *message, uint64_t size)
{
    const uint8_t *from = message;

    /* A signal may cut a piece of a stream short. */
    for (uint64_t sent = 0; sent < size;) {
        ptrdiff_t piece = crossvm_channel_send(channel, from + sent, size - sent, CROSSVM_FOREVER);

        if (piece < 0)
            return (int)piece;
        sent += (uint64_t)piece;
    }
    return 0;
}

int bench_recv(crossvm_channel_t *channel, void *message, uint64_t size)
{
    const bool is_stream = crossvm_channel_mode(channel) == CROSSVM_CHANNEL_STREAM;
    uint8_t *to = message;
    uint64_t received = 0;

    do {
        ptrdiff_t piece = crossvm_channel_recv(channel, to + received, size - received, CROSSVM_FOREVER);

        if (piece < 0)
            return piece == -EMSGSIZE ? -EBADMSG : (int)piece;
        if (piece == 0 && is_stream)
            return -EPIPE;
        received += (uint64_t)piece;
    } while (is_stream && received < size);
    return received == size ? 0 : -EBADMSG;
}

/* --- orders --- */

struct peer {
    crossvm_channel_t *channel;
    uint8_t *buffer;
    size_t size;
};

/* Each step returns 0 or a negative errno value, which ends the session. */

static int echo(const struct peer *peer, uint64_t size)
{
    int error;

    do {
        error = bench_recv(peer->channel, peer->buffer, size);
        if (!error)
            error = bench_send(peer->channel, peer->buffer, size);
    } while (!error && peer->buffer[0]);
    return error;
}

static int take(const struct peer *peer, uint64_t size, uint64_t count)
{
    int error = 0;

    for (uint64_t i = 0; i < count && !error; i++)
        error = bench_recv(peer->channel, peer->buffer, size);
    return error ? error : bench_send(peer->channel, peer->buffer, 1);
}

static int give(const struct peer *peer, uint64_t size, uint64_t count)
{
    int error = 0;

    for (uint64_t i = 0; i < count && !error; i++)
        error = bench_send(peer->channel, peer->buffer, size);
    return error;
}

static int obey(const struct peer *peer)
{
    struct bench_order order;
    int error = bench_recv(peer->channel, &order, sizeof(order));

    if (error)
        return error;
    if (order.magic != BENCH_MAGIC || order.size == 0 || order.size > peer->size)
        return -EBADMSG;
    switch (order.kind) {
    case BENCH_MEET:
        order.magic = BENCH_ANSWER;
        return bench_send(peer->channel, &order, sizeof(order));
    case BENCH_ECHO:
        return echo(peer, order.size);
    case BENCH_TAKE:
        return take(peer, order.size, order.count);
    case BENCH_GIVE:
        return give(peer, order.size, order.count);
    default:
        return -EBADMSG;
    }
}

int bench_serve(crossvm_channel_t *channel, const volatile int *signaled)
{
    struct peer peer = {.channel = channel, .size = crossvm_channel_max_message(channel)};
    bool goes_on = true;
    char misfit[256];
    int error;

    snprintf(misfit, sizeof(misfit), "the other end of connection \"%s\" is not a `crossvm bench` of this release",
             channel_name(channel));
    peer.buffer = calloc(1, peer.size);
    if (!peer.buffer) {
        message("no memory for messages of %zu bytes", peer.size);
        return STATUS_ERROR;
    }
    do {
        error = obey(&peer);
        if (error == -EBADMSG)
            goes_on = channel_serve_next(channel, error, misfit);
        else if (error && error != -EINTR)
            goes_on = channel_serve_next(channel, error, crossvm_strerror());
    } while (goes_on && !*signaled);
    free(peer.buffer);
    return *signaled ? STATUS_OK : channel_error(error);
}
