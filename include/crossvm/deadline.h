/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Points in time at which a call gives up. A structure, so that a compiler refuses a number of milliseconds.
 */
#ifndef CROSSVM_DEADLINE_H
#define CROSSVM_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A point in time: nanoseconds of the caller's monotonic clock, in libcrossvm CLOCK_MONOTONIC. */
typedef struct crossvm_deadline {
    int64_t ns; /**< 0: in the past, so the call does not block; INT64_MAX: never */
} crossvm_deadline_t;

#ifdef __cplusplus
#define CROSSVM_DEADLINE(nanoseconds)                                                                                  \
    crossvm_deadline_t                                                                                                 \
    {                                                                                                                  \
        nanoseconds                                                                                                    \
    }
#else
#define CROSSVM_DEADLINE(nanoseconds) ((crossvm_deadline_t){nanoseconds})
#endif

#define CROSSVM_NOW CROSSVM_DEADLINE(0)             /**< do not block */
#define CROSSVM_FOREVER CROSSVM_DEADLINE(INT64_MAX) /**< block without end */

/** Whether a call with this deadline does not block. */
static inline bool crossvm_deadline_is_now(crossvm_deadline_t deadline)
{
    return deadline.ns == 0;
}

/** Whether a call with this deadline blocks without end. */
static inline bool crossvm_deadline_is_forever(crossvm_deadline_t deadline)
{
    return deadline.ns == INT64_MAX;
}

#ifdef __cplusplus
}
#endif
#endif
