/* SPDX-License-Identifier: BSD-2-Clause */
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/message.h"
#include "../hub/confinement.h"
#include "../sandbox/libc_calls.h"
#include "../wire/socket_directory.h"

int confine(const struct lock_down *lock, const struct filter_list *calls)
{
    static struct filter filter;
    const struct filter_list lists[] = {*calls, libc_calls()};

    if (!lock_down_is_possible())
        return 0;
    if (filter_make(&filter, "main", lists, sizeof(lists) / sizeof(lists[0])) || lock_down(lock))
        return -1;
    return filter_enter(&filter);
}

/* --- observers --- */

static struct filter_list observer_calls(bool writes_file)
{
    static struct filter_rule rules[] = {
        FILTER_CALL(poll), /* between two looks, and for replies */
        FILTER_CALL(ppoll),
        FILTER_CALL(recvfrom), /* what hubs say, and ask them */
        FILTER_CALL(recvmsg),
        FILTER_CALL(sendto),
        FILTER_CALL(read),
        FILTER_CALL(close),
        FILTER_CALL_WITH(socket, 0, AF_UNIX), /* hubs that come, here and below */
        FILTER_CALL(connect),
        FILTER_CALL(setsockopt),
        FILTER_CALL(getsockopt),
        FILTER_CALL(geteuid),
        FILTER_CALL(getuid),
        FILTER_CALL(newfstatat),
        FILTER_CALL(stat),
        FILTER_CALL(lstat),
        FILTER_CALL(fstat),
        FILTER_CALL(fstatfs),
        FILTER_CALL(getdents64),
        FILTER_CALL(lseek),
        FILTER_CALL(readlink), /* devices of a guest, in sysfs */
        FILTER_CALL(readlinkat),
        FILTER_CALL_WITH(rt_sigaction, 0, SIGBUS), /* of one that goes while its memory is looked at */
        FILTER_CALL(access),
        FILTER_CALL(faccessat),
        FILTER_CALL(pread64),
        FILTER_CALL_WITH(fcntl, 1, F_GET_SEALS),
        FILTER_CALL_WITH(fcntl, 1, F_DUPFD_CLOEXEC),
        FILTER_CALL_WITH(fcntl, 1, F_GETFL), /* fdopendir() */
        FILTER_CALL_WITH(fcntl, 1, F_SETFD),
        FILTER_CALL_WITH(ioctl, 1, TCGETS),
        FILTER_CALL_WITH(ioctl, 1, TIOCGWINSZ),
        FILTER_OPEN_TO_READ,
        FILTER_CALL_WITH_BITS(openat, 2, O_ACCMODE, O_WRONLY), /* the file; from here on left out without one */
        FILTER_CALL(rename),
        FILTER_CALL(renameat),
        FILTER_CALL(renameat2),
        FILTER_CALL(unlink),
        FILTER_CALL(unlinkat),
    };
    const size_t of_file = 6;

    return (struct filter_list){.rules = rules,
                                .num_rules = sizeof(rules) / sizeof(rules[0]) - (writes_file ? 0 : of_file)};
}

/* Whether there is a file: 1 or 0, or -1 after a message. */
static int is_there(const char *path)
{
    if (access(path, F_OK) == 0)
        return 1;
    if (errno == ENOENT || errno == ENOTDIR || errno == EACCES)
        return 0;
    message("cannot look for %s: %s", path, error_reason(errno));
    return -1;
}

/*
 * Adds where sockets are or will be: the folder, or, while there is none, the one that it will be in. Returns 0, or -1
 * after a message.
 */
static int add_folder(struct lock_down *lock, struct landlock_folder *folder, char path[SOCKET_DIRECTORY_BYTES])
{
    int there = is_there(path);

    if (there == 0) {
        char outer[PATH_MAX];

        hub_folder_of(outer, path);
        (void)snprintf(path, SOCKET_DIRECTORY_BYTES, "%.*s", SOCKET_DIRECTORY_BYTES - 1, outer);
        there = is_there(path);
    }
    if (there > 0) {
        *folder = (struct landlock_folder){path, LANDLOCK_READ};
        lock->num_folders++;
    }
    return there < 0 ? -1 : 0;
}

int confine_observer(const char *file)
{
    char sockets[2][SOCKET_DIRECTORY_BYTES], folder[PATH_MAX];
    struct landlock_folder folders[4] = {{"/sys", LANDLOCK_READ}};
    struct lock_down lock = {.folders = folders, .num_folders = 1, .keeps_access = true};
    const struct filter_list calls = observer_calls(file != NULL);

    for (size_t i = 0; i < 2 && cvm_socket_directory(i, sockets[i]); i++) {
        if (add_folder(&lock, &folders[lock.num_folders], sockets[i]))
            return -1;
    }
    if (file) {
        hub_folder_of(folder, file);
        folders[lock.num_folders++] = (struct landlock_folder){folder, LANDLOCK_APPEND};
    }
    return confine(&lock, &calls);
}
