/* SPDX-License-Identifier: BSD-2-Clause */
/* What `crossvm bench` asks of its other side. */
#pragma once

#include <stdint.h>

#define BENCH_MAGIC 0x484e4243u  /* "CBNH" */
#define BENCH_ANSWER 0x45484e42u /* "BNHE": not the magic number, which a `crossvm echo` sends back, too */

enum bench_kind {
    BENCH_MEET, /* the first of a session: send back the order with magic BENCH_ANSWER */
    BENCH_ECHO, /* send back each message; the first byte of the last one is 0 */
    BENCH_TAKE, /* take `count` messages, then send one of one byte */
    BENCH_GIVE, /* send `count` messages */
};

/* Asks for one measurement. Integers are in the byte order of both ends: little-endian. */
struct bench_order {
    uint32_t magic;
    uint32_t kind;
    uint64_t size; /* of each message */
    uint64_t count;
};
