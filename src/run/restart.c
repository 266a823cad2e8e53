/* SPDX-License-Identifier: BSD-2-Clause */
#include "restart.h"

void restart_plan(struct restart *restart, int64_t started_ms, int64_t now)
{
    int64_t delay = RESTART_FIRST_MS;

    if (now - started_ms >= RESTART_GOOD_RUN_MS)
        restart->times = 0;
    for (unsigned int i = 0; i < restart->times && delay < RESTART_MOST_MS; i++)
        delay *= 2;
    restart->times++;
    restart->due_ms = now + (delay < RESTART_MOST_MS ? delay : RESTART_MOST_MS);
}
