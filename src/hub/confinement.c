/* SPDX-License-Identifier: BSD-2-Clause */
#include "confinement.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../wire/foreign.h"

#define SPARE_MEMORY ((uint64_t)64 << 20)

struct filter_list hub_calls(void)
{
    static struct filter_rule rules[] = {
        FILTER_CALL(epoll_wait),
        FILTER_CALL(epoll_pwait), /* the same, on arm64 */
        FILTER_CALL(recvfrom),    /* messages of clients and VMMs, here and below */
        FILTER_CALL(recvmsg),
        FILTER_CALL(sendmsg),
        FILTER_CALL(io_submit), /* events, here and below */
        FILTER_CALL(io_getevents),
        FILTER_CALL(preadv2),
        FILTER_CALL(pread64), /* dataports that a guest may only read */
        FILTER_CALL(pwrite64),
        FILTER_CALL(read), /* the eventfd of threads that close */
        FILTER_CALL(poll), /* whether a client has left, and whether standard error takes a line */
        FILTER_CALL(ppoll),
        FILTER_CALL(epoll_ctl), /* clients come and leave, here and below */
        FILTER_CALL(accept4),
        FILTER_CALL(getsockopt), /* who a client is */
        FILTER_CALL(geteuid),
        FILTER_CALL(newfstatat), /* the mode of the socket; also fflush() */
        FILTER_CALL(lstat),
        FILTER_CALL(fstat),
        FILTER_CALL(setsockopt),
        FILTER_CALL(shutdown),
        FILTER_CALL(sendto),
        FILTER_CALL(close),
        FILTER_CALL(readlink), /* which kind of descriptor a client sent, by /proc/self/fd */
        FILTER_CALL(readlinkat),
        FILTER_CALL_WITH(fcntl, 1, F_GET_SEALS),
        FILTER_CALL(eventfd2),              /* the spare descriptor of listeners */
        FILTER_CALL_WITH(ioctl, 1, TCGETS), /* stdio, before the first line of output */
        FILTER_CALL_WITH(kill, 0, 0),       /* to this process: set below; when the loop fails */
        FILTER_CALL(unlink),                /* sockets and locks, at the end */
        FILTER_CALL(unlinkat),
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (rules[i].call == SCMP_SYS(kill))
            rules[i].check.datum_a = (scmp_datum_t)getpid();
    }
    return (struct filter_list)FILTER_LIST(rules);
}

struct limits hub_limits(size_t descriptors, uint64_t file_bytes)
{
    return (struct limits){
        .more_descriptors = LIMITS_DESCRIPTORS_STAY, /* doors keep count of theirs */
        /* What clients hold may be closed in as many threads. */
        .more_memory = SPARE_MEMORY + descriptors * (uint64_t)FOREIGN_THREAD_BYTES,
        .more_threads = 1, /* for the loop, where it is not the main one's */
        .file_bytes = file_bytes,
    };
}

void hub_folder_of(char folder[PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');
    int length = slash == path ? 1 : (int)(slash ? slash - path : 0);

    (void)snprintf(folder, PATH_MAX, "%.*s", slash ? length : 1, slash ? path : ".");
}
