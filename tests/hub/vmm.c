/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <crossvm/device.h>

#include "hub_fixture.h"
#include "vmm.h"

#define PATIENCE_MS 600000 /* only bounds a hang */

struct header {
    uint16_t id, command;
    uint32_t size, flags, error;
};

int vmm_connect(const char *connection)
{
    char file[16];

    (void)snprintf(file, sizeof(file), "%s.vfio", connection);
    return hub_connect(file, SOCK_STREAM);
}

bool vmm_send(int vmm, uint16_t command, uint32_t flags, const void *body, size_t size, const int *fds, size_t num_fds)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(32 * sizeof(int))];
    } control = {0};
    struct header header = {.id = 77, .command = command, .size = (uint32_t)(sizeof(header) + size), .flags = flags};
    struct iovec parts[] = {{&header, sizeof(header)}, {(void *)body, size}};
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = 2};

    if (num_fds) {
        packet.msg_control = &control;
        packet.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(num_fds * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, num_fds * sizeof(int));
    }
    return sendmsg(vmm, &packet, MSG_NOSIGNAL) == (ssize_t)header.size;
}

static bool receive(int vmm, void *data, size_t size, int *fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    size_t done = 0;

    while (done < size) {
        struct iovec part = {(uint8_t *)data + done, size - done};
        struct msghdr packet = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        struct pollfd waiting = {.fd = vmm, .events = POLLIN};
        const struct cmsghdr *sent;
        ssize_t length;

        assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
        length = recvmsg(vmm, &packet, MSG_CMSG_CLOEXEC);
        if (length <= 0)
            return false;
        sent = CMSG_FIRSTHDR(&packet);
        if (sent && sent->cmsg_type == SCM_RIGHTS)
            memcpy(fd, CMSG_DATA(sent), sizeof(*fd));
        done += (size_t)length;
    }
    return true;
}

bool vmm_receive(int vmm, uint16_t command, struct vmm_reply *reply)
{
    struct header header;

    reply->fd = -1;
    reply->error = 0;
    reply->size = 0;
    if (!receive(vmm, &header, sizeof(header), &reply->fd))
        return false;
    assert_int_equal(header.id, 77);
    assert_int_equal(header.command, command);
    assert_true(header.size >= sizeof(header) && header.size - sizeof(header) <= sizeof(reply->body));
    reply->size = header.size - sizeof(header);
    if (header.flags & 0x20u)
        assert_true(header.error != 0 && reply->size == 0);
    assert_int_equal(header.flags & ~0x20u, 1);
    reply->error = header.error;
    return receive(vmm, reply->body, reply->size, &reply->fd);
}

void vmm_ask(int vmm, uint16_t command, const void *body, size_t size, struct vmm_reply *reply)
{
    assert_true(vmm_send(vmm, command, 0, body, size, NULL, 0));
    assert_true(vmm_receive(vmm, command, reply));
}

int vmm_start(const char *connection)
{
    static const char body[] = "\0\0\0\0{\"capabilities\":{\"max_msg_fds\":8}}";
    struct vmm_reply reply;
    int vmm = vmm_connect(connection);

    vmm_ask(vmm, VMM_VERSION, body, sizeof(body), &reply);
    assert_int_equal(reply.error, 0);
    assert_memory_equal(reply.body, "\0\0\0\0", 4);
    assert_int_equal(reply.body[reply.size - 1], 0);
    return vmm;
}

void vmm_await_close(int vmm)
{
    struct pollfd waiting = {.fd = vmm, .events = POLLIN};
    char bytes[4096];
    ssize_t length;

    do {
        assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
        length = recv(vmm, bytes, sizeof(bytes), 0);
    } while (length > 0);
    assert_int_equal(length, 0);
    close(vmm);
}

struct access {
    uint64_t offset;
    uint32_t region, count;
    uint8_t data[16];
};

uint64_t vmm_load(int vmm, uint32_t region, uint64_t offset, uint32_t count)
{
    struct access access = {.offset = offset, .region = region, .count = count};
    struct vmm_reply reply;
    uint64_t value = 0;

    vmm_ask(vmm, VMM_READ, &access, 16, &reply);
    assert_int_equal(reply.error, 0);
    assert_int_equal(reply.size, 16 + count);
    assert_memory_equal(reply.body, &access, 16);
    memcpy(&value, reply.body + 16, count < sizeof(value) ? count : sizeof(value));
    return value;
}

void vmm_store(int vmm, uint32_t region, uint64_t offset, uint64_t value, uint32_t count)
{
    struct access access = {.offset = offset, .region = region, .count = count};
    struct vmm_reply reply;

    assert_true(count <= sizeof(access.data));
    memcpy(access.data, &value, sizeof(value));
    vmm_ask(vmm, VMM_WRITE, &access, 16 + count, &reply);
    assert_int_equal(reply.error, 0);
    assert_int_equal(reply.size, 16);
}

uint32_t vmm_load32(int vmm, uint64_t offset)
{
    return (uint32_t)vmm_load(vmm, 0, offset, 4);
}

void vmm_store32(int vmm, uint64_t offset, uint32_t value)
{
    vmm_store(vmm, 0, offset, value, 4);
}

void vmm_set_command(int vmm, uint16_t command)
{
    vmm_store(vmm, VMM_CONFIG, 4, command, 2);
}

void vmm_await_event(int vmm, uint64_t sequence)
{
    while (vmm_load(vmm, 0, CROSSVM_REG_EVENT_SEQ, 8) != sequence)
        ;
}

void vmm_set_irq(int vmm, uint32_t index, int eventfd)
{
    uint32_t body[] = {20, eventfd >= 0 ? 0x24 : 0x21, index, 0, eventfd >= 0};
    struct vmm_reply reply;

    assert_true(vmm_send(vmm, VMM_SET_IRQS, 0, body, sizeof(body), &eventfd, eventfd >= 0));
    assert_true(vmm_receive(vmm, VMM_SET_IRQS, &reply));
    assert_int_equal(reply.error, 0);
}

uint32_t vmm_set_unmask(int vmm, int eventfd)
{
    uint32_t body[] = {20, 0x14, 0, 0, 1};
    struct vmm_reply reply;

    assert_true(vmm_send(vmm, VMM_SET_IRQS, 0, body, sizeof(body), &eventfd, eventfd >= 0));
    assert_true(vmm_receive(vmm, VMM_SET_IRQS, &reply));
    return reply.error;
}

uint64_t vmm_await_interrupt(int eventfd)
{
    struct pollfd waiting = {.fd = eventfd, .events = POLLIN};
    uint64_t count;

    assert_int_equal(poll(&waiting, 1, PATIENCE_MS), 1);
    assert_int_equal(read(eventfd, &count, sizeof(count)), sizeof(count));
    return count;
}

uint64_t vmm_take_interrupts(int eventfd)
{
    struct pollfd waiting = {.fd = eventfd, .events = POLLIN};

    return poll(&waiting, 1, 0) == 1 ? vmm_await_interrupt(eventfd) : 0;
}

uint8_t *vmm_map(int vmm, uint32_t region, size_t *offset, size_t *size)
{
    uint32_t question[8] = {4096, 0, region};
    struct vmm_reply reply;
    uint64_t words[3];
    uint32_t flags;
    void *address;

    vmm_ask(vmm, VMM_GET_REGION_INFO, question, sizeof(question), &reply);
    assert_int_equal(reply.error, 0);
    memcpy(&flags, reply.body + 4, sizeof(flags));
    memcpy(words, reply.body + 16, sizeof(words[0]));
    assert_true(flags & 4);
    *offset = 0;
    *size = words[0];
    if (flags & 8) { /* one area */
        memcpy(words + 1, reply.body + 32 + 16, 2 * sizeof(words[0]));
        *offset = words[1];
        *size = words[2];
    }
    assert_true(reply.fd >= 0);
    address = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED, reply.fd, (off_t)*offset);
    assert_ptr_not_equal(address, MAP_FAILED);
    close(reply.fd);
    return address;
}
