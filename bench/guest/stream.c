/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Measurements over a descriptor that is a stream of bytes. Both ends do what is best for one: a message is one
 * write(), and a reader of messages takes as many as are there by one read(), since it knows their size.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "rivals.h"

#define STREAM_BYTES 65536

enum kind { ECHO, SINK, SOURCE };

/* What the host asks for: first of all, and again after each measurement. */
struct order {
    uint32_t kind, bytes, count; /* bytes of a message; how many */
};

static uint8_t buffer[STREAM_BYTES];

/* Writes all, by as few calls as possible. False when the peer has left. */
static int put(int fd, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    while (length > 0) {
        ssize_t written = write(fd, at, length);

        if (written <= 0)
            return 0;
        at += written;
        length -= (size_t)written;
    }
    return 1;
}

/* Reads exactly so many. False when the peer has left. */
static int get(int fd, void *bytes, size_t length)
{
    uint8_t *at = bytes;

    while (length > 0) {
        ssize_t taken = read(fd, at, length);

        if (taken <= 0)
            return 0;
        at += taken;
        length -= (size_t)taken;
    }
    return 1;
}

static int send_many(int fd, uint32_t bytes, uint32_t count)
{
    int well = 1;

    while (count-- > 0 && well)
        well = put(fd, buffer, bytes);
    return well;
}

static int receive_many(int fd, uint64_t total)
{
    while (total > 0) {
        ssize_t taken = read(fd, buffer, total < sizeof(buffer) ? (size_t)total : sizeof(buffer));

        if (taken <= 0)
            return 0;
        total -= (uint64_t)taken;
    }
    return 1;
}

/* --- the guest --- */

static int obey(int fd, const struct order *order)
{
    uint8_t done = 0;
    int well = 1;

    if (order->bytes == 0 || order->bytes > sizeof(buffer))
        return 0;
    switch (order->kind) {
    case ECHO:
        for (uint32_t i = 0; i < order->count && well; i++)
            well = get(fd, buffer, order->bytes) && put(fd, buffer, order->bytes);
        return well;
    case SINK:
        return receive_many(fd, (uint64_t)order->bytes * order->count) && put(fd, &done, 1);
    case SOURCE:
        return send_many(fd, order->bytes, order->count);
    default:
        return 0;
    }
}

void stream_serve(int fd)
{
    struct order order;

    while (get(fd, &order, sizeof(order)) && obey(fd, &order))
        ;
}

/* --- the host --- */

static void give(int fd, enum kind kind, uint32_t bytes, uint32_t count)
{
    const struct order order = {kind, bytes, count};

    if (!put(fd, &order, sizeof(order)))
        fail("speak with the guest: %s", strerror(errno));
}

static void round_trips(int fd, uint32_t bytes, uint32_t count)
{
    give(fd, ECHO, bytes, count);
    for (uint32_t i = 0; i < count; i++) {
        int64_t start = now_ns();

        if (!put(fd, buffer, bytes) || !get(fd, buffer, bytes))
            fail("speak with the guest: %s", strerror(errno));
        round_trip_add(now_ns() - start);
    }
}

static double to_guest(int fd, uint32_t bytes, uint32_t count)
{
    int64_t start = now_ns();

    give(fd, SINK, bytes, count);
    if (!send_many(fd, bytes, count) || !get(fd, buffer, 1))
        fail("speak with the guest: %s", strerror(errno));
    return (double)(now_ns() - start) / count;
}

static double from_guest(int fd, uint32_t bytes, uint32_t count)
{
    int64_t start = now_ns();

    give(fd, SOURCE, bytes, count);
    if (!receive_many(fd, (uint64_t)bytes * count))
        fail("speak with the guest: %s", strerror(errno));
    return (double)(now_ns() - start) / count;
}

/* Each until a byte has gone to the guest and back */
static void new_connections(const struct stream *stream)
{
    for (int i = 0; i < CONNECTIONS; i++) {
        int64_t start = now_ns();
        int fd = stream->in_host();

        give(fd, ECHO, 1, 1);
        if (!put(fd, buffer, 1) || !get(fd, buffer, 1))
            fail("speak with the guest: %s", strerror(errno));
        print_cost("new_connection", 1, (double)(now_ns() - start));
        close(fd);
    }
}

void stream_measure(const struct stream *stream)
{
    int fd = stream->in_host();

    /* Not counted: the guest boots meanwhile, and the first round trips cost something else than all later ones. */
    round_trips(fd, MESSAGE_BYTES, 4 * ROUNDS);
    for (int repetition = 0; repetition < REPETITIONS; repetition++) {
        round_trips_clear();
        round_trips(fd, MESSAGE_BYTES, ROUNDS);
        round_trips_print(MESSAGE_BYTES);
        print_cost("to_guest", MESSAGE_BYTES, to_guest(fd, MESSAGE_BYTES, MESSAGES));
        print_cost("from_guest", MESSAGE_BYTES, from_guest(fd, MESSAGE_BYTES, MESSAGES));
        print_cost("stream_to_guest", STREAM_BYTES, to_guest(fd, STREAM_BYTES, BLOCKS));
        print_cost("stream_from_guest", STREAM_BYTES, from_guest(fd, STREAM_BYTES, BLOCKS));
    }
    for (uint32_t bytes = 4 * MESSAGE_BYTES; bytes <= STREAM_BYTES; bytes *= 4) {
        const uint32_t count = bytes < STREAM_BYTES ? MESSAGES / 4 : BLOCKS;

        print_cost("to_guest", bytes, to_guest(fd, bytes, count));
        print_cost("from_guest", bytes, from_guest(fd, bytes, count));
    }
    close(fd);
    if (stream->has_connections)
        new_connections(stream);
}
