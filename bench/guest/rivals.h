/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of rival_bench know of each other. */
#ifndef RIVALS_H
#define RIVALS_H

#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_BYTES 64
#define REPETITIONS 3
#define ROUNDS 400
#define MESSAGES 4000
#define BLOCKS 60
#define CONNECTIONS 30

/** Prints a message and exits. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

int64_t now_ns(void);

/** Collects the time of a round trip; ROUNDS at most until they are cleared. */
void round_trip_add(int64_t ns);
void round_trips_clear(void);

/** Prints percentiles of those collected. */
void round_trips_print(uint32_t bytes);

/** Prints what a message of so many bytes cost. */
void print_cost(const char *what, uint32_t bytes, double ns);

/** A descriptor that is a stream of bytes, from one end and from the other; each call waits until it is there. */
struct stream {
    const char *name;
    int (*in_guest)(void);
    int (*in_host)(void);
    bool has_connections; /* many, one after the other */
};

extern const struct stream stream_vsock, stream_tcp, stream_net, stream_forward, stream_forward_unix,
    stream_tcp_within_host, stream_unix_within_host, stream_serial;

/** One end serves the other until that leaves; the other measures. */
void stream_serve(int fd);
void stream_measure(const struct stream *stream);

/** The same over a ring that somebody wrote by hand into the memory of an ivshmem device. */
_Noreturn void ring_serve(void);
void ring_measure(void);

#endif
