/* SPDX-License-Identifier: BSD-2-Clause */
/* CLOCK_MONOTONIC, and deadlines in seconds from now. */
#pragma once

#include <time.h>

#include <crossvm/deadline.h>

#define SECOND_NS 1000000000

/** Nanoseconds of CLOCK_MONOTONIC. */
static inline int64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * SECOND_NS + now.tv_nsec;
}

/** So many seconds from now; negative, or more than 30 years: CROSSVM_FOREVER. */
static inline crossvm_deadline_t deadline_after(double seconds)
{
    if (seconds < 0 || seconds > 1e9)
        return CROSSVM_FOREVER;
    return CROSSVM_DEADLINE(clock_ns() + (int64_t)(seconds * SECOND_NS));
}

static inline bool deadline_has_passed(crossvm_deadline_t deadline)
{
    return !crossvm_deadline_is_forever(deadline) && clock_ns() >= deadline.ns;
}
