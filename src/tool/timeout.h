/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlines that a command line gives as a number of seconds. */
#pragma once

#include <crossvm/deadline.h>

#include "../common/clock.h"

#define SECOND_NS 1000000000

/** The instant that many seconds from now, for what command_line_seconds() gives; negative: CROSSVM_FOREVER. */
static inline crossvm_deadline_t deadline_after(double seconds)
{
    return seconds < 0 ? CROSSVM_FOREVER : CROSSVM_DEADLINE(now_ns() + (int64_t)(seconds * SECOND_NS));
}

/** Whether it has passed. */
static inline bool deadline_has_passed(crossvm_deadline_t deadline)
{
    return !crossvm_deadline_is_forever(deadline) && now_ns() >= deadline.ns;
}
