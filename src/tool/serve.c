/* SPDX-License-Identifier: BSD-2-Clause */
#include "serve.h"

#include <errno.h>
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
