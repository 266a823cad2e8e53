/* SPDX-License-Identifier: BSD-2-Clause */
/* What `crossvm bench` measures, and what its two sides do. */
#pragma once

#include "bench_order.h"
#include "channel_command.h"

/* What came out for one size. */
struct bench_result {
    uint64_t size;
    uint64_t round_trips;
    double min_us, median_us, p90_us, p99_us, p999_us, max_us;
    double exits;         /* of the guest for each round trip; negative: unknown */
    double to_peer_per_s; /* messages */
    double from_peer_per_s;
};

/** Sends or receives a message. Returns 0 or a negative errno value; -EBADMSG: one of another size came. */
int bench_send(crossvm_channel_t *channel, const void *message, uint64_t size);
int bench_recv(crossvm_channel_t *channel, void *message, uint64_t size);

/** Serves one client after the other until a signal comes. Returns an exit status. */
int bench_serve(crossvm_channel_t *channel, const volatile int *signaled);

/** Prints the table: its head, and one row. */
void bench_print_head(void);
void bench_print_row(const struct bench_result *result);

/** Prints all results as JSON. Returns an exit status. */
int bench_print_json(const char *name, const struct bench_result *results, size_t count);
