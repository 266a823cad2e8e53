/* SPDX-License-Identifier: BSD-2-Clause */
#include "listener.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/clock.h"
#include "foreign.h"

/*
 * A descriptor to give up when the process has no others left. 0: not opened yet; -1: opening it failed. All listeners
 * share it, and threads may serve some each: two that closed it at once would close what a third has just opened.
 */
static int spare;
static pthread_mutex_t spare_lock = PTHREAD_MUTEX_INITIALIZER;

/* Any kind will do: a process that is confined can make this one still. */
static int open_spare(void)
{
    return eventfd(0, EFD_CLOEXEC);
}

static void take_spare(void)
{
    pthread_mutex_lock(&spare_lock);
    if (spare <= 0)
        spare = open_spare();
    pthread_mutex_unlock(&spare_lock);
}

/* --- life --- */

int listener_open(struct listener *listener, int type, const char *path)
{
    const struct sockaddr *address = (const struct sockaddr *)&listener->address;
    bool bound = false;
    int error;

    *listener = LISTENER_CLOSED;
    listener->address.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(listener->address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(listener->address.sun_path, path, strlen(path));
    take_spare();
    listener->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return -1;
    /* The mode of the socket becomes that of the file which bind() makes, so the file is never open to others. */
    if (fchmod(listener->fd, S_IRUSR | S_IWUSR) == 0) {
        bound = bind(listener->fd, address, sizeof(listener->address)) == 0;
        if (bound && listen(listener->fd, LISTENER_BACKLOG) == 0)
            return 0;
    }
    error = errno;
    if (bound)
        (void)unlink(path);
    close(listener->fd);
    *listener = LISTENER_CLOSED;
    errno = error;
    return -1;
}

int listener_admit_group(const struct listener *listener)
{
    return chmod(listener->address.sun_path, S_IRUSR | S_IWUSR | S_IRGRP | S_IWGRP);
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    (void)unlink(listener->address.sun_path);
    close(listener->fd);
    *listener = LISTENER_CLOSED;
}

/* --- accepting --- */

/*
 * Out of descriptors: takes a program out of the queue with the spare one, and turns it away. That program learns at
 * once that it is not served. False when not even that can be done.
 */
static bool turn_away(const struct listener *listener)
{
    bool turned_away;
    int fd;

    pthread_mutex_lock(&spare_lock);
    if (spare > 0)
        close(spare);
    fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        foreign_hang_up(NULL, fd);
    spare = open_spare();
    turned_away = fd >= 0 && spare >= 0;
    pthread_mutex_unlock(&spare_lock);
    return turned_away;
}

struct pollfd listener_wishes(const struct listener *listener, int64_t now)
{
    return (struct pollfd){.fd = now < listener->paused_ms ? -1 : listener->fd, .events = POLLIN};
}

int64_t listener_due_ms(const struct listener *listener, int64_t now)
{
    return now < listener->paused_ms ? listener->paused_ms : NEVER_MS;
}

int listener_accept(struct listener *listener, int64_t now)
{
    bool was_paused = listener->paused_ms != 0;
    int error, fd;

    errno = EAGAIN;
    if (now < listener->paused_ms)
        return -1;
    fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    error = errno;
    if (fd >= 0 || error == EAGAIN || error == EINTR || error == ECONNABORTED) {
        listener->paused_ms = 0;
        errno = EAGAIN;
        return fd;
    }
    if ((error == EMFILE || error == ENFILE) && turn_away(listener)) {
        listener->paused_ms = 0;
        errno = EAGAIN;
        return -1;
    }
    listener->paused_ms = now + LISTENER_RETRY_MS;
    errno = was_paused ? EAGAIN : error;
    return -1;
}

/* --- admission --- */

static bool is_in_group(int client, const struct ucred *peer, gid_t group)
{
    socklen_t size = 0;
    bool found = peer->gid == group;
    gid_t *groups;

    if (found || getsockopt(client, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) == 0 || errno != ERANGE)
        return found;
    groups = malloc(size);
    if (groups && getsockopt(client, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0) {
        for (size_t i = 0; i < size / sizeof(*groups) && !found; i++)
            found = groups[i] == group;
    }
    free(groups);
    return found;
}

bool listener_admits(const struct listener *listener, int client)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    struct stat file;

    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        return false;
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    return lstat(listener->address.sun_path, &file) == 0 && file.st_mode & S_IWGRP &&
           is_in_group(client, &peer, file.st_gid);
}
