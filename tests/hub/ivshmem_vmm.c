/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub_fixture.h"
#include "ivshmem_vmm.h"

#define PATIENCE_MS 600000 /* only bounds a hang */

bool ivshmem_receive(int vmm, int64_t *number, int *fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {number, sizeof(*number)};
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    struct pollfd waiting = {.fd = vmm, .events = POLLIN};
    const struct cmsghdr *sent;
    ssize_t length;

    *number = 0;
    *fd = -1;
    assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
    length = recvmsg(vmm, &packet, MSG_CMSG_CLOEXEC);
    if (length <= 0)
        return false;
    assert_int_equal(length, sizeof(*number));
    sent = CMSG_FIRSTHDR(&packet);
    if (sent && sent->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(sent), sizeof(*fd));
    return true;
}

void ivshmem_await_close(int socket)
{
    int64_t number;
    int fd;

    while (ivshmem_receive(socket, &number, &fd)) {
        if (fd >= 0)
            close(fd);
    }
    close(socket);
}

struct ivshmem_vmm ivshmem_start(const char *file)
{
    struct ivshmem_vmm vmm = {.socket = hub_connect(file, SOCK_STREAM)};
    struct stat status;
    int64_t number;
    int fd;

    assert_true(ivshmem_receive(vmm.socket, &number, &fd));
    assert_int_equal(number, 0); /* version */
    assert_int_equal(fd, -1);
    assert_true(ivshmem_receive(vmm.socket, &vmm.end, &fd));
    assert_true(vmm.end == 0 || vmm.end == 1);
    assert_int_equal(fd, -1);
    assert_true(ivshmem_receive(vmm.socket, &number, &fd));
    assert_int_equal(number, -1);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW), F_SEAL_SHRINK | F_SEAL_GROW);
    vmm.size = (size_t)status.st_size;
    vmm.region = mmap(NULL, vmm.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(vmm.region != MAP_FAILED);
    close(fd);
    /* Others first, then its own: one vector each. */
    for (size_t i = 0; i < 3; i++) {
        int64_t expected = i == 0 ? 1 - vmm.end : i == 1 ? IVSHMEM_HUB : vmm.end;

        assert_true(ivshmem_receive(vmm.socket, &number, &fd));
        assert_int_equal(number, expected);
        assert_true(fd >= 0);
        vmm.doorbells[number] = fd;
    }
    return vmm;
}

void ivshmem_end(struct ivshmem_vmm *vmm)
{
    close(vmm->socket);
    munmap(vmm->region, vmm->size);
    for (size_t i = 0; i < 3; i++)
        close(vmm->doorbells[i]);
}

uint32_t ivshmem_load32(const struct ivshmem_vmm *vmm, size_t offset)
{
    return __atomic_load_n((uint32_t *)(vmm->region + offset), __ATOMIC_SEQ_CST);
}

uint64_t ivshmem_load64(const struct ivshmem_vmm *vmm, size_t offset)
{
    return __atomic_load_n((uint64_t *)(vmm->region + offset), __ATOMIC_SEQ_CST);
}

uint32_t ivshmem_peer_state(const struct ivshmem_vmm *vmm)
{
    return ivshmem_load32(vmm, IVSHMEM_EVENT_PAGE(vmm->end) + 0x48);
}

uint32_t ivshmem_peer_generation(const struct ivshmem_vmm *vmm)
{
    return ivshmem_load32(vmm, IVSHMEM_EVENT_PAGE(vmm->end) + 0x4c);
}

void ivshmem_store_driver(const struct ivshmem_vmm *vmm, uint32_t word)
{
    __atomic_store_n((uint32_t *)(vmm->region + IVSHMEM_DRIVER_PAGE(vmm->end)), word, __ATOMIC_SEQ_CST);
}

void ivshmem_signal(const struct ivshmem_vmm *vmm, int64_t whom)
{
    assert_int_equal(eventfd_write(vmm->doorbells[whom], 1), 0);
}

void ivshmem_tell_driver(const struct ivshmem_vmm *vmm, uint32_t word)
{
    ivshmem_store_driver(vmm, word);
    ivshmem_signal(vmm, IVSHMEM_HUB);
}

void ivshmem_await_signal(const struct ivshmem_vmm *vmm)
{
    struct pollfd waiting = {.fd = vmm->doorbells[vmm->end], .events = POLLIN};
    uint64_t count;

    assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
    assert_int_equal(eventfd_read(waiting.fd, &count), 0);
}

bool ivshmem_is_signalled(const struct ivshmem_vmm *vmm)
{
    struct pollfd waiting = {.fd = vmm->doorbells[vmm->end], .events = POLLIN};

    return poll(&waiting, 1, 0) == 1;
}
