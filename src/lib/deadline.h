/* SPDX-License-Identifier: BSD-2-Clause */
/* A point in time at which a wait ends, on the monotonic clock. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "../common/clock.h"

#define DEADLINE_NOW 0
#define DEADLINE_NEVER INT64_MAX

/** What is in a crossvm_deadline_t: nanoseconds of CLOCK_MONOTONIC, or one of DEADLINE_*. */
typedef int64_t deadline_t;

/** The deadline of a timeout; negative: never. Does not read the clock for 0 and negative ones. */
static inline deadline_t deadline_in(int64_t timeout_ms)
{
    int64_t now;

    if (timeout_ms < 0)
        return DEADLINE_NEVER;
    if (timeout_ms == 0)
        return DEADLINE_NOW;
    now = now_ns();
    return timeout_ms > (DEADLINE_NEVER - now) / 1000000 ? DEADLINE_NEVER : now + timeout_ms * 1000000;
}

/** The time that is left, as the timeout of poll(). Rounded up: poll() must not return before the time is over. */
static inline int deadline_poll_ms(deadline_t deadline)
{
    int64_t left;

    if (deadline == DEADLINE_NEVER)
        return -1;
    if (deadline == DEADLINE_NOW)
        return 0;
    left = deadline - now_ns();
    if (left <= 0)
        return 0;
    left = (left + 999999) / 1000000;
    return left > INT_MAX ? INT_MAX : (int)left;
}

static inline bool deadline_is_over(deadline_t deadline)
{
    return deadline_poll_ms(deadline) == 0;
}
