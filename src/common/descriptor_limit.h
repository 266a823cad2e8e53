/* SPDX-License-Identifier: BSD-2-Clause */
/* How many descriptors a process may have. */
#pragma once

#include <sys/resource.h>

/**
 * Raises the limit to the most that this process may have. Connections take up to ten descriptors each, and the usual
 * limit is low for the sake of programs that call select().
 */
static inline void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}
