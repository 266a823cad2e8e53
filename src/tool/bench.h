/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two sides of `crossvm bench` say to each other, and what is measured. */
#pragma once

#include "end_channel.h"

#define BENCH_MAGIC 0x484e4243u /* "CBNH" */

enum bench_kind {
    BENCH_ECHO = 1, /* send back each message; the first byte of the last one is 0 */
    BENCH_TAKE,     /* take `count` messages, then send one of one byte */
    BENCH_GIVE,     /* send `count` messages */
};

/* Asks for one measurement. All integers are little-endian, as all machines are that this runs on. */
struct bench_order {
    uint32_t magic;
    uint32_t kind;
    uint64_t size; /* of each message */
    uint64_t count;
};

/* What came out for one size. */
struct bench_result {
    uint64_t size;
    uint64_t round_trips;
    double min_us, median_us, p90_us, p99_us, p999_us, max_us;
    double exits;         /* of the guest for each round trip; negative: unknown, as it is in the guest */
    double to_peer_per_s; /* messages */
    double from_peer_per_s;
};

/** A message each way, in a stream or as a datagram. 0 or a negative errno value; -EBADMSG: of another size. */
int bench_send(crossvm_channel_t *channel, const void *message, uint64_t size);
int bench_recv(crossvm_channel_t *channel, void *message, uint64_t size);

/** Serves the other side until a signal comes. Returns an exit status. */
int bench_serve(crossvm_channel_t *channel, const volatile int *signaled);

/** Prints what came out, in the order of the sizes. Returns an exit status. */
int bench_print_text(const struct bench_result *results, size_t count);
int bench_print_json(const char *name, const struct bench_result *results, size_t count);
