/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench.h"

#include <errno.h>
#include <string.h>

#include "bench_order.h"
#include "protocol.h"

static uint8_t buffer[ECHO_FRAMES << FRAME_BITS]; /* more than the longest message */

static int receive(crossvm_channel_t *channel, uint64_t size)
{
    ptrdiff_t length = crossvm_channel_recv(channel, buffer, sizeof(buffer), CROSSVM_FOREVER);

    if (length < 0)
        return (int)length;
    return (uint64_t)length == size ? 0 : -EBADMSG;
}

static int send(crossvm_channel_t *channel, uint64_t size)
{
    ptrdiff_t length = crossvm_channel_send(channel, buffer, size, CROSSVM_FOREVER);

    return length < 0 ? (int)length : 0;
}

static int echo(crossvm_channel_t *channel, uint64_t size)
{
    int error;

    do {
        error = receive(channel, size);
        if (!error)
            error = send(channel, size);
    } while (!error && buffer[0]);
    return error;
}

static int take(crossvm_channel_t *channel, uint64_t size, uint64_t count)
{
    int error = 0;

    for (uint64_t i = 0; i < count && !error; i++)
        error = receive(channel, size);
    return error ? error : send(channel, 1);
}

static int give(crossvm_channel_t *channel, uint64_t size, uint64_t count)
{
    int error = 0;

    for (uint64_t i = 0; i < count && !error; i++)
        error = send(channel, size);
    return error;
}

bool bench_is_order(const void *message, size_t length)
{
    const struct bench_order *order = message;

    return length == sizeof(*order) && *(const volatile uint32_t *)&order->magic == BENCH_MAGIC;
}

/* The order is a copy: the guest cannot change it after the check. */
int bench_obey(crossvm_channel_t *channel)
{
    struct bench_order order;
    int error = receive(channel, sizeof(order));

    if (error)
        return error;
    memcpy(&order, buffer, sizeof(order));
    if (order.magic != BENCH_MAGIC || order.size == 0 || order.size > crossvm_channel_max_message(channel))
        return -EBADMSG;
    switch (order.kind) {
    case BENCH_MEET:
        order.magic = BENCH_ANSWER;
        memcpy(buffer, &order, sizeof(order));
        return send(channel, sizeof(order));
    case BENCH_ECHO:
        return echo(channel, order.size);
    case BENCH_TAKE:
        return take(channel, order.size, order.count);
    case BENCH_GIVE:
        return give(channel, order.size, order.count);
    default:
        return -EBADMSG;
    }
}
