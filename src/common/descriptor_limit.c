/* SPDX-License-Identifier: BSD-2-Clause */
#include "descriptor_limit.h"

#include <sys/resource.h>

#include "message.h"

void descriptor_limit_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int descriptor_limit_check(const char *what, size_t needed)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= needed)
        return 0;
    message("%s needs %zu descriptors, and this process may have %llu; raise the limit with `ulimit -n %zu`", what,
            needed, (unsigned long long)limit.rlim_cur, needed);
    return -1;
}
