/* SPDX-License-Identifier: BSD-2-Clause */
#include "confine.h"

#include "../sandbox/libc_calls.h"

int confine(const struct lock_down *lock, const struct filter_list *calls)
{
    static struct filter filter;
    const struct filter_list lists[] = {*calls, libc_calls()};

    if (!lock_down_is_possible())
        return 0;
    if (filter_make(&filter, "main", lists, sizeof(lists) / sizeof(lists[0])) || lock_down(lock))
        return -1;
    filter_enter(&filter);
    return 0;
}
