/* SPDX-License-Identifier: BSD-2-Clause */
#include "confinement.h"

#include <linux/if_tun.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "../sandbox/libc_calls.h"
#include "../sandbox/limits.h"
#include "../sandbox/lock_down.h"

#define SPARE_DESCRIPTORS 8 /* those that the hub sends with news */
#define SPARE_MEMORY ((uint64_t)16 << 20)

int net_confine(void)
{
    static const struct filter_rule rules[] = {
        FILTER_CALL(read), /* frames, and events of a guest; writing is in the C library's list */
        FILTER_CALL(poll),
        FILTER_CALL(ppoll),    /* the same, on arm64 */
        FILTER_CALL(preadv2),  /* events of a host program */
        FILTER_CALL(pread64),  /* what a guest's driver tells of the peer */
        FILTER_CALL(recvfrom), /* what the hub tells of the peer, here and below */
        FILTER_CALL(recvmsg),
        FILTER_CALL_WITH(ioctl, 1, TCGETS),        /* stdio, before the first line of output */
        FILTER_CALL_WITH(ioctl, 1, TUNSETOFFLOAD), /* the other end comes, and goes */
        FILTER_CALL_WITH(ioctl, 1, TUNSETCARRIER),
        FILTER_CALL(clock_nanosleep), /* between clients that do not fit */
        FILTER_CALL(alarm),           /* signals that ask for the end */
        FILTER_CALL(setitimer),       /* the same, on arm64 */
        FILTER_CALL(close),           /* the end */
        FILTER_CALL(fstat),           /* fflush(), here and below */
        FILTER_CALL(newfstatat),
    };
    static struct filter filter;
    const struct filter_list lists[] = {FILTER_LIST(rules), libc_calls()};
    const struct limits limits = {.more_descriptors = SPARE_DESCRIPTORS, .more_memory = SPARE_MEMORY};

    /* The filter is made in a file, which the limits may forbid. */
    if (filter_make(&filter, "main", lists, sizeof(lists) / sizeof(lists[0])) || limits_set(&limits) ||
        lock_down(&(struct lock_down){0}))
        return -1;
    return filter_enter(&filter);
}
