/* SPDX-License-Identifier: BSD-2-Clause */
/* The side of `crossvm bench` that does what the other orders. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct peer {
    crossvm_channel_t *channel;
    uint8_t *buffer;
    size_t size;
};

/* Each step returns 0 or a negative errno value, which ends the session. */

static int echo(const struct peer *peer)
{
    for (;;) {
        ptrdiff_t length = crossvm_channel_recv(peer->channel, peer->buffer, peer->size, CROSSVM_CHANNEL_FOREVER);

        if (length <= 0)
            return (int)length;
        length = crossvm_channel_send(peer->channel, peer->buffer, (size_t)length, CROSSVM_CHANNEL_FOREVER);
        if (length < 0)
            return (int)length;
    }
}

static int take(const struct peer *peer, uint64_t count)
{
    ptrdiff_t result = 0;

    for (uint64_t i = 0; i < count && result >= 0; i++)
        result = crossvm_channel_recv(peer->channel, peer->buffer, peer->size, CROSSVM_CHANNEL_FOREVER);
    if (result >= 0)
        result = crossvm_channel_send(peer->channel, peer->buffer, 0, CROSSVM_CHANNEL_FOREVER);
    return result < 0 ? (int)result : 0;
}

static int give(const struct peer *peer, uint64_t size, uint64_t count)
{
    ptrdiff_t result = 0;

    for (uint64_t i = 0; i < count && result >= 0; i++)
        result = crossvm_channel_send(peer->channel, peer->buffer, size, CROSSVM_CHANNEL_FOREVER);
    return result < 0 ? (int)result : 0;
}

static int obey(const struct peer *peer)
{
    struct bench_order order;
    ptrdiff_t length = crossvm_channel_recv(peer->channel, peer->buffer, peer->size, CROSSVM_CHANNEL_FOREVER);

    if (length < 0)
        return (int)length;
    memcpy(&order, peer->buffer, sizeof(order));
    if ((size_t)length != sizeof(order) || order.magic != BENCH_MAGIC || order.size > peer->size)
        return -EBADMSG;
    switch (order.kind) {
    case BENCH_ECHO:
        return echo(peer);
    case BENCH_TAKE:
        return take(peer, order.count);
    case BENCH_GIVE:
        return give(peer, order.size, order.count);
    default:
        return -EBADMSG;
    }
}

int bench_serve(crossvm_channel_t *channel, const volatile int *signaled)
{
    struct peer peer = {.channel = channel, .size = crossvm_channel_max_message(channel)};
    int status = TOOL_OK;

    peer.buffer = calloc(1, peer.size);
    if (!peer.buffer) {
        tool_error("no memory for messages of %zu bytes", peer.size);
        return TOOL_ERROR;
    }
    while (!*signaled) {
        int error = obey(&peer);

        if (!error || error == -EINTR)
            continue;
        if (error == -EBADMSG)
            tool_error("the other end is no `crossvm bench` of this release");
        else if (error != -EPIPE || channel_is_gone(channel)) {
            status = channel_error(channel, error);
            break;
        }
        crossvm_channel_open(channel);
    }
    free(peer.buffer);
    return status;
}
