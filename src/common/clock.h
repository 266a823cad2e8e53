/* SPDX-License-Identifier: BSD-2-Clause */
/* The clock that delays and deadlines are measured with. */
#pragma once

#include <limits.h>
#include <stdint.h>
#include <time.h>

/** An instant that never comes. */
#define NEVER_MS INT64_MAX

/** Nanoseconds of CLOCK_MONOTONIC. */
static inline int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/** Milliseconds of it. */
static inline int64_t now_ms(void)
{
    return now_ns() / 1000000;
}

static inline int64_t earlier_ms(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/** The timeout of a poll() that ends when an instant has come: -1 for NEVER_MS. */
static inline int poll_until_ms(int64_t instant, int64_t now)
{
    if (instant == NEVER_MS)
        return -1;
    if (instant <= now)
        return 0;
    return instant - now < INT_MAX ? (int)(instant - now) : INT_MAX;
}
