/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "../common/end_signals.h"
#include "../common/message.h"
#include "../hub/confinement.h"
#include "../sandbox/libc_calls.h"
#include "../sandbox/lock_down.h"

static struct filter filter;

int serve_catch_signals(void)
{
    sigset_t signals;
    int fd;

    end_signals(&signals);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) || (fd = signalfd(-1, &signals, SFD_CLOEXEC)) < 0) {
        message("cannot wait for signals: %s", error_reason(errno));
        return -1;
    }
    return fd;
}

/* libsystemd is not there for static programs, and this is all of its protocol that is wanted. */
bool serve_tell_ready(void)
{
    static const char ready[] = "READY=1";
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = path ? strlen(path) : 0;
    bool sent = false;
    int fd;

    if (length == 0)
        return true;
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof(address.sun_path)) {
        message("cannot tell that this is ready: NOTIFY_SOCKET is \"%s\", which is no path of a socket", path);
        return false;
    }
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') /* a name without a file begins with a 0 */
        address.sun_path[0] = '\0';
    fd = descriptor_above_standard(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (fd >= 0)
        sent = sendto(fd, ready, strlen(ready), MSG_NOSIGNAL, (struct sockaddr *)&address,
                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) == (ssize_t)strlen(ready);
    if (!sent)
        message("cannot tell that this is ready at %s, which NOTIFY_SOCKET names: %s", path, error_reason(errno));
    if (fd >= 0)
        close(fd);
    return sent;
}

int serve_confine(const struct serve_needs *needs)
{
    const struct filter_list lists[] = {hub_calls(), libc_calls(), libc_thread_calls()};
    const struct limits limits = hub_limits(needs->descriptors, needs->file_bytes);
    size_t n = needs->num_sockets;
    char(*names)[PATH_MAX] = calloc(n, sizeof(*names));
    struct landlock_folder *folders = calloc(n, sizeof(*folders));
    int error = -1;

    if (names && folders) {
        for (size_t i = 0; i < n; i++) {
            hub_folder_of(names[i], needs->sockets[i]);
            folders[i] = (struct landlock_folder){.path = names[i], .use = LANDLOCK_REMOVE};
        }
        /* The filter is made in a file, which the limits may forbid. */
        if (filter_make(&filter, "main", lists, sizeof(lists) / sizeof(lists[0])) == 0 && limits_set(&limits) == 0)
            error = lock_down(&(struct lock_down){.folders = folders, .num_folders = n});
    } else {
        message("no memory for the folders of sockets");
    }
    free(names);
    free(folders);
    return error;
}

int serve_enter_filter(void)
{
    return filter.program ? filter_enter(&filter) : 0;
}
