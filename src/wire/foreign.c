/* SPDX-License-Identifier: BSD-2-Clause */
#include "foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- threads that close --- */

struct foreign_bell {
    unsigned int users; /* atomic: the owner and each closer; the last of them frees it */
    int fd;
};

struct foreign_closer {
    unsigned int users; /* atomic: the owner and each thread; the last of them frees it */
    unsigned int busy;  /* atomic: threads that still have something to close */
    struct foreign_bell *bell;
};

/* What a thread has to do. */
struct closing {
    struct foreign_closer *closer;
    int fd;
    bool is_client; /* a socket, of which all has to be received */
};

static void gain_user(unsigned int *users)
{
    __atomic_add_fetch(users, 1, __ATOMIC_RELAXED); /* the caller is one, so it is not freed meanwhile */
}

static bool lost_last_user(unsigned int *users)
{
    /* All that a user did comes before the last one frees it. */
    return __atomic_sub_fetch(users, 1, __ATOMIC_ACQ_REL) == 0;
}

struct foreign_bell *foreign_bell_create(void)
{
    struct foreign_bell *bell = calloc(1, sizeof(*bell));

    if (!bell)
        return NULL;
    bell->users = 1;
    bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (bell->fd >= 0)
        return bell;
    free(bell);
    return NULL;
}

void foreign_bell_free(struct foreign_bell *bell)
{
    if (!bell || !lost_last_user(&bell->users))
        return;
    close(bell->fd);
    free(bell);
}

int foreign_bell_fd(const struct foreign_bell *bell)
{
    return bell->fd;
}

struct foreign_closer *foreign_closer_create(struct foreign_bell *bell)
{
    struct foreign_closer *closer = calloc(1, sizeof(*closer));

    if (!closer)
        return NULL;
    gain_user(&bell->users);
    *closer = (struct foreign_closer){.users = 1, .bell = bell};
    return closer;
}

void foreign_closer_free(struct foreign_closer *closer)
{
    if (!closer || !lost_last_user(&closer->users))
        return;
    foreign_bell_free(closer->bell);
    free(closer);
}

bool foreign_closer_is_busy(const struct foreign_closer *closer)
{
    return __atomic_load_n(&closer->busy, __ATOMIC_ACQUIRE) != 0;
}

static void receive_all(int socket);

static void *run(void *argument)
{
    struct closing closing = *(struct closing *)argument;

    free(argument);
    if (closing.is_client)
        receive_all(closing.fd);
    close(closing.fd);
    if (closing.closer) {
        /* Release: whoever sees the new number, or the signal, sees what was closed as closed. */
        __atomic_sub_fetch(&closing.closer->busy, 1, __ATOMIC_RELEASE);
        (void)eventfd_write(closing.closer->bell->fd, 1);
        foreign_closer_free(closing.closer);
    }
    return NULL;
}

static bool start_thread(struct closing *closing)
{
    pthread_attr_t detached;
    sigset_t all, before;
    pthread_t thread;
    int error;

    if (pthread_attr_init(&detached))
        return false;
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&detached, FOREIGN_THREAD_BYTES);
    /* Signals are for the threads that handle them. */
    sigfillset(&all);
    sigdelset(&all, SIGSYS); /* of this thread, if it makes a system call that is forbidden */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, &detached, run, closing);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&detached);
    return error == 0;
}

/* Without memory for a thread it stays open: a descriptor less is better than a process that stands still. */
static void close_in_thread(struct foreign_closer *closer, int fd, bool is_client)
{
    struct closing *closing = malloc(sizeof(*closing));

    if (!closing)
        return;
    *closing = (struct closing){closer, fd, is_client};
    if (closer) {
        gain_user(&closer->users);
        __atomic_add_fetch(&closer->busy, 1, __ATOMIC_RELAXED);
    }
    if (start_thread(closing))
        return;
    if (closer) {
        __atomic_sub_fetch(&closer->users, 1, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&closer->busy, 1, __ATOMIC_RELAXED);
    }
    free(closing);
}

/* --- descriptors --- */

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

bool foreign_close(struct foreign_closer *closer, int fd)
{
    bool at_once = closes_at_once(fd);

    if (at_once)
        close(fd);
    else
        close_in_thread(closer, fd, false);
    return at_once;
}

/* --- receiving --- */

static ssize_t receive(int socket, struct msghdr *packet, int flags)
{
    ssize_t length;

    do
        length = recvmsg(socket, packet, flags | MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (length < 0 && errno == EINTR);
    return length;
}

/* The kernel puts all descriptors of a message into one piece of control data. */
static size_t copy_fds(struct msghdr *packet, int *fds)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(packet);
    size_t bytes = c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS ? c->cmsg_len - CMSG_LEN(0) : 0;

    if (bytes)
        memcpy(fds, CMSG_DATA(c), bytes);
    return bytes / sizeof(int);
}

/*
 * The message is looked at first: that duplicates its descriptors, while the queue keeps them. When it is received
 * then, they are known, and the queue's are not the last ones. Exactly what was seen is received, since what has come
 * meanwhile may have others.
 */
ssize_t foreign_receive(int socket, void *to, size_t size, int *fds, size_t max, size_t *n)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(FOREIGN_MAX_FDS * sizeof(int))];
    } control;
    struct iovec part = {to, size};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t length;
    size_t came;

    if (max) {
        packet.msg_control = &control;
        packet.msg_controllen = CMSG_LEN(max * sizeof(int));
    }
    length = receive(socket, &packet, MSG_PEEK);
    came = length >= 0 && max ? copy_fds(&packet, fds) : 0;
    if (n)
        *n = came;
    if (length < 0)
        return -1;
    if (packet.msg_flags & MSG_CTRUNC) {
        errno = came < max ? EMFILE : EBADMSG; /* there was room, but no number */
        return -1;
    }
    return length ? recv(socket, to, (size_t)length, MSG_DONTWAIT) : 0;
}

/* --- hanging up --- */

/*
 * Receives a message without its descriptors, or looks at it. False: there is none. A socket of messages has to have
 * SO_PASSCRED: credentials come with a message that is empty, but not with the end.
 */
static bool receive_one(int socket, bool messages, int flags, bool *with_fds)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct ucred))]; /* and for no descriptors */
    } control;
    char bytes[4096];
    struct iovec part = {bytes, sizeof(bytes)};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t length;

    if (messages) {
        packet.msg_control = &control;
        packet.msg_controllen = sizeof(control);
    }
    do
        length = receive(socket, &packet, flags);
    while (length < 0 && errno == ECONNRESET); /* the client is gone; what it sent comes next */
    *with_fds = length >= 0 && packet.msg_flags & MSG_CTRUNC;
    return length > 0 || (length == 0 && messages && packet.msg_controllen > 0);
}

static bool is_of_messages(int socket)
{
    socklen_t length = sizeof(int);
    int type = SOCK_STREAM;

    return getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

static void receive_all(int socket)
{
    bool messages = is_of_messages(socket), with_fds;

    while (receive_one(socket, messages, 0, &with_fds))
        ;
}

/* False: there is one with descriptors. */
static bool receive_those_without_fds(int socket, bool messages)
{
    bool with_fds;

    while (receive_one(socket, messages, MSG_PEEK, &with_fds)) {
        if (with_fds)
            return false;
        (void)receive_one(socket, messages, 0, &with_fds);
    }
    return true;
}

void foreign_hang_up(struct foreign_closer *closer, int socket)
{
    bool messages = is_of_messages(socket);
    static const int yes = 1;

    /*
     * The client sees its end at once and can send nothing more; what it has sent is received. Else that would reset
     * its socket, at which QEMU 11.1 aborts.
     */
    (void)shutdown(socket, SHUT_RDWR);
    if (messages)
        (void)setsockopt(socket, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes));
    if (receive_those_without_fds(socket, messages))
        close(socket);
    else
        close_in_thread(closer, socket, true);
}
