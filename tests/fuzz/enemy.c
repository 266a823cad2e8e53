/* SPDX-License-Identifier: BSD-2-Clause */
#include "enemy.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../../src/wire/descriptors.h"

/* One end of two; the other is closed. */
static int left_alone(int ends[2], int kept)
{
    close(ends[1 - kept]);
    return ends[kept];
}

static int make_pipe(int kept)
{
    int ends[2];

    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    return left_alone(ends, kept);
}

static int make_socket(int type)
{
    int ends[2];

    REQUIRE(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0);
    return left_alone(ends, 0);
}

/* Such as a hub gives, or with something missing. */
static int make_memory(struct input *input)
{
    static const int seals[] = {F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, 0,
                                F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE};
    uint8_t choices = input_byte(input);
    int fd = memfd_create("enemy", MFD_CLOEXEC | MFD_ALLOW_SEALING), again;
    char path[32];

    REQUIRE(fd >= 0);
    REQUIRE(ftruncate(fd, (off_t)0x1000 << (choices & 0xfu)) == 0);
    REQUIRE(fcntl(fd, F_ADD_SEALS, seals[(choices >> 4 & 0x7u) % (sizeof(seals) / sizeof(seals[0]))]) == 0);
    if (!(choices & 0x80u))
        return fd;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    again = open(path, O_RDONLY | O_CLOEXEC);
    REQUIRE(again >= 0);
    close(fd);
    return again;
}

int enemy_descriptor(struct input *input)
{
    int fd;

    switch (input_choice(input, 10)) {
    case 0: /* twice, since most messages want one */
    case 1:
        return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    case 2: /* a signal would wait */
        fd = eventfd(0, EFD_CLOEXEC);
        REQUIRE(eventfd_write(fd, UINT64_MAX - 1) == 0);
        return fd;
    case 3:
        return make_memory(input);
    case 4:
        return make_pipe(0); /* polls readable all the time */
    case 5:
        return make_pipe(1);
    case 6:
        return make_socket(SOCK_STREAM);
    case 7:
        return make_socket(SOCK_SEQPACKET);
    case 8:
        return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* cannot be polled */
    default:
        return epoll_create1(EPOLL_CLOEXEC);
    }
}

size_t enemy_descriptors(struct input *input, int fds[ENEMY_MOST_FDS], size_t most)
{
    size_t n = input_choice(input, (unsigned int)most + 1);

    for (size_t i = 0; i < n; i++) {
        fds[i] = enemy_descriptor(input);
        REQUIRE(fds[i] >= 0);
    }
    return n;
}

int enemy_send(int socket, const void *bytes, size_t size, int *fds, size_t n)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(ENEMY_MOST_FDS * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = size};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t sent;

    if (n) {
        packet.msg_control = &control;
        packet.msg_controllen = CMSG_SPACE(n * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
    }
    sent = sendmsg(socket, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
    return sent == (ssize_t)size;
}

int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = -1; /* not the directory's own */

    REQUIRE(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}
