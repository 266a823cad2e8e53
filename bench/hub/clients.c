/* SPDX-License-Identifier: BSD-2-Clause */
#include "clients.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <crossvm/device.h>

#define HEADER_BYTES 16
#define ACCESS_BYTES 16
#define COMMAND_VERSION 1
#define COMMAND_SET_IRQS 8
#define COMMAND_WRITE 10
#define CONFIG_REGION 7

struct message {
    uint16_t id, command;
    uint32_t size, flags, error;
    union {
        uint32_t words[8];
        struct {
            uint64_t offset;
            uint32_t region, count, data;
        } access;
    };
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "hub_bench: cannot %s: %s\n", what, errno ? strerror(errno) : crossvm_strerror());
    exit(1);
}

/* Sends a message with a descriptor or without (-1), and takes the reply. */
static void ask(int vmm, struct message *message, uint16_t command, size_t body, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {message, HEADER_BYTES + body};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};
    char reply[4096];

    message->command = command;
    message->size = (uint32_t)part.iov_len;
    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        packet.msg_control = &control;
        packet.msg_controllen = sizeof(control);
    }
    if (sendmsg(vmm, &packet, 0) != (ssize_t)part.iov_len || recv(vmm, reply, sizeof(reply), 0) < HEADER_BYTES)
        fail("speak with the hub");
}

static void store(int vmm, uint32_t region, uint64_t offset, uint32_t value, uint32_t count)
{
    struct message message = {.access = {offset, region, count, value}};

    ask(vmm, &message, COMMAND_WRITE, ACCESS_BYTES + count, -1);
}

static int start_vmm(const char *dir, const char *name, int msi)
{
    struct message version = {0}, set = {.words = {20, 0x24, 1, 0, 1}};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int vmm = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.vmm", dir, name) >= (int)sizeof(address.sun_path) ||
        vmm < 0 || connect(vmm, (struct sockaddr *)&address, sizeof(address)))
        fail("reach the hub");
    ask(vmm, &version, COMMAND_VERSION, 4, -1);
    store(vmm, CONFIG_REGION, 4, 6, 2); /* memory space and bus master */
    ask(vmm, &set, COMMAND_SET_IRQS, 20, msi);
    return vmm;
}

void client_open(struct client *client, const char *dir, const char *name)
{
    char path[PATH_MAX];

    errno = 0;
    (void)snprintf(path, sizeof(path), "%s/%s.sock", dir, name);
    if (crossvm_open(&client->program, path))
        fail("open an end");
    client->msi = eventfd(0, EFD_CLOEXEC);
    client->vmm = start_vmm(dir, name, client->msi);
}

void client_close(struct client *client)
{
    close(client->vmm);
    close(client->msi);
    crossvm_close(client->program);
}

void client_event_to_guest(struct client *client)
{
    eventfd_t count;

    if (crossvm_emit(client->program) || eventfd_read(client->msi, &count))
        fail("send an event to a guest");
}

void client_event_from_guest(struct client *client)
{
    store(client->vmm, 0, CROSSVM_REG_EMIT, 1, 4);
    if (crossvm_wait(client->program, CROSSVM_FOREVER) != 1)
        fail("send an event from a guest");
}
