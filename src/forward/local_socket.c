/* SPDX-License-Identifier: BSD-2-Clause */
#include "local_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/message.h"

#define LEAST_CAPACITY 4096

/* --- life --- */

/* Whether closing a TCP socket, or the death of this process, resets it. */
static void set_reset(const struct local_socket *socket, bool reset)
{
    const struct linger linger = {.l_onoff = reset};

    if (socket->tcp)
        (void)setsockopt(socket->in, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void local_socket_init(struct local_socket *socket, int fd, int family, int type)
{
    *socket = (struct local_socket){
        .in = fd,
        .out = fd,
        .is_socket = true,
        .packets = type == SOCK_SEQPACKET,
        .tcp = family == AF_INET || family == AF_INET6,
        .readable = true,
    };
    set_reset(socket, true); /* if this process is killed, a stream that was cut short must not seem to be at its end */
    if (socket->packets) {
        const int one = 1;

        /* With each packet come its credentials, and at the end there are none: that tells an empty one from it. */
        (void)setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
    }
}

/*
 * Other programs share the flags of standard streams. Pipes and terminals are opened anew, with flags of their own. A
 * socket takes a flag with each call, and files do not block. Returns a descriptor, or -1 with errno.
 */
static int open_standard(int number, int flags, bool *is_socket)
{
    struct stat status;
    char path[32];

    if (fstat(number, &status))
        return -1;
    *is_socket = S_ISSOCK(status.st_mode);
    if (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))
        return fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", number);
    return open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

bool local_socket_init_standard(struct local_socket *socket)
{
    bool in_is_socket = false, out_is_socket = false;

    *socket = (struct local_socket){.readable = true};
    socket->in = open_standard(STDIN_FILENO, O_RDONLY, &in_is_socket);
    socket->out = open_standard(STDOUT_FILENO, O_WRONLY, &out_is_socket);
    socket->is_socket = in_is_socket && out_is_socket;
    if (socket->in >= 0 && socket->out >= 0 && in_is_socket == out_is_socket)
        return true;
    if (in_is_socket != out_is_socket)
        message("standard input and output are a socket and something else: give --stdio two sockets, or none");
    else
        message("cannot open standard input and output anew: %s; is /proc mounted?", error_reason(errno));
    return false;
}

void local_socket_close(struct local_socket *socket, bool reset)
{
    if (!reset)
        set_reset(socket, false);
    if (socket->out >= 0 && socket->out != socket->in)
        (void)close(socket->out);
    if (socket->in >= 0)
        (void)close(socket->in);
    socket->in = socket->out = -1;
    free(socket->kept);
    socket->kept = NULL;
    socket->start = socket->end = socket->capacity = 0;
}

/* --- reading --- */

static ssize_t failed(void)
{
    return errno == EINTR ? -EAGAIN : -errno;
}

ssize_t local_socket_next_packet(struct local_socket *socket)
{
    ssize_t length = recv(socket->in, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

    return length < 0 ? failed() : length;
}

static ssize_t read_packet(struct local_socket *socket, void *to, size_t size, bool *at_end)
{
    char control[CMSG_SPACE(sizeof(struct ucred))]; /* no room for descriptors, which would be received */
    struct iovec part = {.iov_base = to, .iov_len = size};
    struct msghdr header = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t length = recvmsg(socket->in, &header, MSG_DONTWAIT);

    if (length < 0)
        return failed();
    *at_end = length == 0 && header.msg_controllen == 0;
    return length;
}

ssize_t local_socket_read(struct local_socket *socket, void *to, size_t size, bool *at_end)
{
    ssize_t length;

    *at_end = false;
    if (socket->packets)
        return read_packet(socket, to, size, at_end);
    length = socket->is_socket ? recv(socket->in, to, size, MSG_DONTWAIT) : read(socket->in, to, size);
    if (length < 0)
        return failed();
    *at_end = length == 0;
    /* A socket that gave less has nothing more now, and epoll tells of what comes next; but not of its end again. */
    if ((size_t)length < size && !socket->hung_up && socket->is_socket)
        socket->readable = false;
    return length;
}

/* --- writing --- */

static ssize_t write_now(const struct local_socket *socket, const void *bytes, size_t length)
{
    ssize_t written = socket->is_socket ? send(socket->out, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
                                        : write(socket->out, bytes, length);

    return written < 0 ? failed() : written;
}

static bool make_room(struct local_socket *socket, size_t length)
{
    const size_t used = socket->end - socket->start;
    size_t capacity = socket->capacity ? socket->capacity : LEAST_CAPACITY;
    uint8_t *kept;

    if (socket->capacity - socket->end >= length)
        return true;
    if (socket->start)
        memmove(socket->kept, socket->kept + socket->start, used);
    socket->start = 0;
    socket->end = used;
    while (capacity - used < length)
        capacity *= 2;
    if (capacity == socket->capacity)
        return true;
    kept = realloc(socket->kept, capacity);
    if (!kept)
        return false;
    socket->kept = kept;
    socket->capacity = capacity;
    return true;
}

static bool keep(struct local_socket *socket, const void *bytes, size_t length)
{
    const uint32_t packet = (uint32_t)length;

    if (!make_room(socket, length + (socket->packets ? sizeof(packet) : 0)))
        return false;
    if (socket->packets) {
        memcpy(socket->kept + socket->end, &packet, sizeof(packet));
        socket->end += sizeof(packet);
    }
    memcpy(socket->kept + socket->end, bytes, length);
    socket->end += length;
    return true;
}

ssize_t local_socket_write(struct local_socket *socket, const void *bytes, size_t length)
{
    const bool waits = socket->connecting || local_socket_keeps(socket);
    ssize_t written = waits ? -EAGAIN : write_now(socket, bytes, length);
    size_t done = written > 0 ? (size_t)written : 0;

    if (written < 0 && written != -EAGAIN)
        return written;
    if (socket->packets && written >= 0)
        return written;
    if ((done < length || socket->packets) && !keep(socket, (const uint8_t *)bytes + done, length - done))
        return -ENOMEM;
    return socket->packets ? -EAGAIN : (ssize_t)done;
}

/* Memory is given back when nothing is kept: only a socket that is slow now has some. */
static void took(struct local_socket *socket, size_t length)
{
    socket->start += length;
    if (local_socket_keeps(socket))
        return;
    free(socket->kept);
    socket->kept = NULL;
    socket->start = socket->end = socket->capacity = 0;
}

ssize_t local_socket_flush(struct local_socket *socket)
{
    const uint8_t *from = socket->kept + socket->start;
    uint32_t length = (uint32_t)(socket->end - socket->start);
    ssize_t written;

    if (socket->packets) {
        memcpy(&length, from, sizeof(length));
        from += sizeof(length);
    }
    written = write_now(socket, from, length);
    if (written >= 0)
        took(socket, socket->packets ? length + sizeof(length) : (size_t)written);
    return written;
}

void local_socket_end_output(struct local_socket *socket)
{
    socket->end_wanted = true;
    if (socket->connecting || local_socket_keeps(socket) || socket->output_ended)
        return;
    socket->output_ended = true;
    if (socket->is_socket) {
        (void)shutdown(socket->out, SHUT_WR);
    } else if (socket->out != socket->in) {
        (void)close(socket->out);
        socket->out = -1;
    }
}
