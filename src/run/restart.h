/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a VM that has ended is started again. The delay doubles with each start, so that a VM that fails for good costs
 * little, and begins anew after a run that was long enough to be a good one.
 *
 * Times are in milliseconds of the caller's clock (src/common/clock.h).
 */
#pragma once

#include <stdint.h>

#define RESTART_FIRST_MS 1000
#define RESTART_MOST_MS 60000
#define RESTART_GOOD_RUN_MS 60000

/** All 0 at first: it has not been started again, and is not to be. */
struct restart {
    unsigned int times; /**< in a row, without a good run between */
    int64_t due_ms;     /**< when to start it; 0: not at all */
};

/** Plans a start after a run that has just ended. */
void restart_plan(struct restart *restart, int64_t started_ms, int64_t now);
