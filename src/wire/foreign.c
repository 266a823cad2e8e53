/* SPDX-License-Identifier: BSD-2-Clause */
#include "foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The most that the kernel lets one message carry (SCM_MAX_FD) */
#define MOST_FDS 253

/* --- closing --- */

/* What the kernel calls a file: real paths begin with a slash, so nobody else can give one of these names. */
static bool is_called(int fd, const char *name)
{
    char path[32], target[32];
    ssize_t length;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    length = readlink(path, target, sizeof(target));
    return length >= (ssize_t)strlen(name) && strncmp(target, name, strlen(name)) == 0;
}

bool foreign_is_eventfd(int fd)
{
    return is_called(fd, "anon_inode:[eventfd]");
}

/* Memory, pipes and eventfds have nothing to wait for. */
static bool closes_at_once(int fd)
{
    return fcntl(fd, F_GET_SEALS) >= 0 || foreign_is_eventfd(fd) || is_called(fd, "pipe:[");
}

static void *close_it(void *fd)
{
    close((int)(intptr_t)fd);
    return NULL;
}

/* Without a thread it stays open: a descriptor less is better than a process that stands still. */
static void close_in_thread(int fd)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;

    if (pthread_attr_init(&attributes))
        return;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* Signals are for the threads that handle them. */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_create(&thread, &attributes, close_it, (void *)(intptr_t)fd);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

void foreign_close(int fd)
{
    if (closes_at_once(fd))
        close(fd);
    else
        close_in_thread(fd);
}

/* --- receiving --- */

/* Takes the first max of the descriptors, and closes the others. Returns how many there were. */
static size_t take_all(struct msghdr *packet, int *fds, size_t max)
{
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(packet); c; c = CMSG_NXTHDR(packet, c)) {
        size_t bytes = c->cmsg_len - CMSG_LEN(0);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i + sizeof(int) <= bytes; i += sizeof(int), n++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i, sizeof(fd));
            if (n < max)
                fds[n] = fd;
            else
                foreign_close(fd);
        }
    }
    return n;
}

/* came: whether there was a message, be it an empty one; known of a socket with SO_PASSCRED */
static ssize_t receive(int socket, struct iovec part, int *fds, size_t max, size_t *n, bool *came)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(MOST_FDS * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t length;

    do
        length = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (length < 0 && errno == EINTR);
    *came = length > 0 || (length == 0 && packet.msg_controllen > 0);
    *n = length >= 0 ? take_all(&packet, fds, max) : 0;
    if (length < 0 || !(packet.msg_flags & MSG_CTRUNC))
        return length;
    errno = EMFILE; /* there was room for all, but no number */
    return -1;
}

ssize_t foreign_receive(int socket, void *to, size_t size, int *fds, size_t max, size_t *n)
{
    size_t came_with;
    bool came;
    ssize_t length = receive(socket, (struct iovec){to, size}, fds, max, &came_with, &came);

    if (n)
        *n = came_with;
    return length;
}

void foreign_hang_up(int socket)
{
    static const int yes = 1;
    char bytes[4096];
    socklen_t length = sizeof(int);
    int type = SOCK_STREAM;
    size_t n;
    bool came;

    /*
     * Nothing can be sent from here on, and all that was sent is received. Bytes that nobody received would reset the
     * client's socket, at which QEMU 11.1 aborts: it expects its end.
     */
    (void)shutdown(socket, SHUT_RD);
    /* A stream has no empty messages, but its end has credentials, too. */
    if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET)
        (void)setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
    do {
        if (receive(socket, (struct iovec){bytes, sizeof(bytes)}, NULL, 0, &n, &came) < 0 && errno == ECONNRESET)
            came = true; /* the client is gone; what it sent comes next */
    } while (came);
    close(socket);
}
