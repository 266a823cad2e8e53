/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlines that a command line gives as a number of seconds. */
#pragma once

#include <crossvm/deadline.h>

#include "../common/clock.h"

#define SECOND_NS 1000000000

/** So many seconds from now; negative, or more than 30 years: CROSSVM_FOREVER. */
static inline crossvm_deadline_t deadline_after(double seconds)
{
    if (seconds < 0 || seconds > 1e9)
        return CROSSVM_FOREVER;
    return CROSSVM_DEADLINE(now_ns() + (int64_t)(seconds * SECOND_NS));
}

static inline bool deadline_has_passed(crossvm_deadline_t deadline)
{
    return !crossvm_deadline_is_forever(deadline) && now_ns() >= deadline.ns;
}
