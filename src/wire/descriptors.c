/* SPDX-License-Identifier: BSD-2-Clause */
#include "descriptors.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../common/descriptor.h"

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
};

int cvm_descriptors_send(int socket, const void *message, size_t size, const int *fds, size_t n)
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

/* Takes all descriptors. Returns how many there were, or -1 when one could not be moved. */
static ssize_t take_all(struct msghdr *packet, int *fds, size_t max)
{
    size_t n = 0;
    int error = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(packet); c; c = CMSG_NXTHDR(packet, c)) {
        size_t bytes = c->cmsg_len - CMSG_LEN(0);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i + sizeof(int) <= bytes; i += sizeof(int), n++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i, sizeof(fd));
            if (n < max) {
                fds[n] = descriptor_above_standard(fd);
                error |= fds[n] < 0;
            } else {
                close(fd);
            }
        }
    }
    return error ? -1 : (ssize_t)n;
}

ssize_t cvm_descriptors_receive(int socket, void *message, size_t size, int *fds, size_t max, size_t *n)
{
    union control control;
    struct iovec part = {.iov_base = message, .iov_len = size};
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t length, taken;

    for (size_t i = 0; i < max; i++)
        fds[i] = -1;
    *n = 0;
    do
        length = recvmsg(socket, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -1;
    taken = take_all(&packet, fds, max);
    /* The kernel drops those for which there is no room, and those for which it has no number. */
    if (taken < 0 || (packet.msg_flags & MSG_CTRUNC && taken < DESCRIPTORS_MAX)) {
        errno = EMFILE;
        return -1;
    }
    *n = packet.msg_flags & MSG_CTRUNC ? SIZE_MAX : (size_t)taken;
    return length;
}
