/* SPDX-License-Identifier: BSD-2-Clause */
#include "descriptors.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
};

int descriptors_send(int socket, const void *message, size_t size, const int *fds, size_t n)
{
    union control control = {0};
    struct iovec part = {.iov_base = (void *)message, .iov_len = size};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};

    if (n > DESCRIPTORS_MAX) {
        errno = EINVAL;
        return -1;
    }
    if (n) {
        packet.msg_control = &control;
        packet.msg_controllen = CMSG_SPACE(n * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
    }
    return sendmsg(socket, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size ? 0 : -1;
}

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
                close(fd);
        }
    }
    return n;
}

ssize_t descriptors_receive(int socket, void *message, size_t size, int *fds, size_t max, size_t *n)
{
    union control control;
    struct iovec part = {.iov_base = message, .iov_len = size};
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t length;

    for (size_t i = 0; i < max; i++)
        fds[i] = -1;
    *n = 0;
    do
        length = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length >= 0)
        *n = take_all(&packet, fds, max);
    return length;
}
