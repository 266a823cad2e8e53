/* SPDX-License-Identifier: BSD-2-Clause */
#include "fake_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#define NO_FD (-1)
#define MAX_FDS (sizeof(((struct fake_vm *)NULL)->fds) / sizeof(int))

static void must(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fake VM: cannot %s: %s\n", what, strerror(errno));
        abort();
    }
}

int fake_vm_memfd(size_t size, int seals)
{
    int fd = memfd_create("fake", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    must(fd >= 0 && !ftruncate(fd, (off_t)size) && !fcntl(fd, F_ADD_SEALS, seals), "make a memfd");
    return fd;
}

static void *map(int fd, size_t size)
{
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    must(address != MAP_FAILED, "map a memfd");
    return address;
}

/* The same memory, opened for reading only. */
static int reopen_read_only(int fd)
{
    char path[64];
    int reopened;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    reopened = open(path, O_RDONLY | O_CLOEXEC);
    must(reopened >= 0, "reopen a memfd");
    close(fd);
    return reopened;
}

void fake_vm_init(struct fake_vm *vm, const char *directory, const char *name)
{
    static const size_t sizes[] = {0x10000, 0x2000};
    const uint32_t read_write = CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE;

    memset(vm, 0, sizeof(*vm));
    vm->listener = vm->owner = vm->stop = NO_FD;
    for (size_t i = 0; i < MAX_FDS; i++)
        vm->fds[i] = NO_FD;
    snprintf(vm->path, sizeof(vm->path), "%s/%s.sock", directory, name);

    vm->reply.header.magic = CROSSVM_WIRE_MAGIC;
    vm->reply.header.version = CROSSVM_WIRE_VERSION;
    vm->reply.driver_state = CROSSVM_DRIVER_BOUND;
    vm->reply.generation = 1;
    snprintf(vm->reply.name, sizeof(vm->reply.name), "%s", name);
    snprintf(vm->reply.vm, sizeof(vm->reply.vm), "vm-of-%.32s", name);
    vm->reply.msi = 1;
    vm->reply.peer_door = CROSSVM_DOOR_CROSSVM_VM;
    vm->reply.peer_here = 1;
    vm->reply.vm_exits = 5000000000;
    vm->reply.vm_user_exits = 17;
    vm->reply.num_dataports = 2;
    vm->reply.dataports[0] = (struct crossvm_wire_dataport){.size = sizes[0], .rights = read_write};
    vm->reply.dataports[1] = (struct crossvm_wire_dataport){.size = sizes[1], .rights = CROSSVM_RIGHT_READ};
    vm->reply_bytes = sizeof(vm->reply);

    vm->fds[0] = eventfd(0, EFD_CLOEXEC);
    vm->fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    vm->fds[2] = fake_vm_memfd(CROSSVM_PAGE_SIZE, F_SEAL_SHRINK | F_SEAL_GROW);
    vm->peer_page = map(vm->fds[2], CROSSVM_PAGE_SIZE);
    for (size_t i = 0; i < 2; i++) {
        vm->fds[3 + i] = fake_vm_memfd(sizes[i], F_SEAL_SHRINK | F_SEAL_GROW);
        vm->dataports[i] = map(vm->fds[3 + i], sizes[i]);
    }
    vm->fds[4] = reopen_read_only(vm->fds[4]);
    vm->num_fds = 5;
}

void fake_vm_replace_fd(struct fake_vm *vm, size_t i, int fd)
{
    close(vm->fds[i]);
    vm->fds[i] = fd;
}

/* --- serving --- */

static void send_with(int socket, const void *bytes, size_t length, const int *fds, size_t num_fds)
{
    union {
        char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
        struct cmsghdr alignment;
    } control = {{0}};
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

    if (num_fds) {
        struct cmsghdr *header;

        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(num_fds * sizeof(int));
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
        memcpy(CMSG_DATA(header), fds, num_fds * sizeof(int));
    }
    must(sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)length, "send");
}

/* Sends a reply, cut to vm->reply_bytes or followed by zeros. */
static void send_reply(const struct fake_vm *vm, int client, const struct crossvm_wire_reply *reply, size_t num_fds)
{
    char bytes[2 * sizeof(*reply)] = {0};

    memcpy(bytes, reply, sizeof(*reply));
    send_with(client, bytes, vm->reply_bytes, vm->fds, num_fds);
}

static void send_driver(struct fake_vm *vm, uint32_t driver_state, int fd)
{
    struct crossvm_wire_driver message = {
        {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_DRIVER}, driver_state, vm->reply.generation};

    if (driver_state != CROSSVM_DRIVER_NONE)
        message.generation = ++vm->reply.generation;
    fake_vm_send(vm, &message, sizeof(message), fd);
}

/* Forgets the owner once it has closed its socket. */
static bool is_owned(struct fake_vm *vm)
{
    char byte;

    if (vm->owner != NO_FD && recv(vm->owner, &byte, 1, MSG_DONTWAIT) == 0) {
        close(vm->owner);
        vm->owner = NO_FD;
    }
    return vm->owner != NO_FD;
}

static void answer_info(struct fake_vm *vm, int client)
{
    struct crossvm_wire_reply reply = vm->reply;

    if (!reply.header.type)
        reply.header.type = CROSSVM_WIRE_INFO;
    reply.owned = is_owned(vm);
    reply.status = reply.owned ? EBUSY : reply.status;
    send_reply(vm, client, &reply, 0);
    close(client);
}

static void answer_attach(struct fake_vm *vm, int client)
{
    struct crossvm_wire_reply reply = vm->reply;

    if (!reply.header.type)
        reply.header.type = CROSSVM_WIRE_ATTACH;
    if (is_owned(vm)) {
        reply.status = EBUSY;
        send_reply(vm, client, &reply, 0);
        close(client);
        return;
    }
    vm->owner = client;
    vm->attaches++;
    if (vm->send_driver_first)
        send_driver(vm, CROSSVM_DRIVER_NONE, vm->fds[0]);
    send_reply(vm, client, &reply, vm->num_fds);
    __atomic_store_n(&vm->has_replied, true, __ATOMIC_RELEASE);
}

static void serve(struct fake_vm *vm)
{
    int client = accept4(vm->listener, NULL, NULL, SOCK_CLOEXEC);
    struct crossvm_wire_header request;

    must(client >= 0, "accept a client");
    if (recv(client, &request, sizeof(request), 0) != sizeof(request) || request.magic != CROSSVM_WIRE_MAGIC ||
        request.version != CROSSVM_WIRE_VERSION || vm->manner == FAKE_VM_HANGS_UP) {
        close(client);
    } else if (vm->manner == FAKE_VM_IS_SILENT) {
        must(vm->owner == NO_FD, "be silent twice");
        vm->owner = client;
    } else if (request.type == CROSSVM_WIRE_ATTACH) {
        answer_attach(vm, client);
    } else {
        answer_info(vm, client);
    }
}

static void *run(void *argument)
{
    struct fake_vm *vm = argument;
    struct pollfd fds[] = {{.fd = vm->stop, .events = POLLIN}, {.fd = vm->listener, .events = POLLIN}};

    for (;;) {
        must(poll(fds, 2, -1) > 0, "poll");
        if (fds[0].revents)
            return NULL;
        serve(vm);
    }
}

/* Binds from within the directory's descriptor, so that the path may be longer than an address holds. */
static void listen_at(struct fake_vm *vm)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char directory[sizeof(vm->path)];
    char *file;
    int fd;

    memcpy(directory, vm->path, sizeof(directory));
    file = strrchr(directory, '/');
    *file++ = '\0';
    fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    must(fd >= 0, "open the directory");
    must((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", fd, file) <
             sizeof(address.sun_path),
         "make an address");
    vm->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    must(vm->listener >= 0 && !bind(vm->listener, (struct sockaddr *)&address, sizeof(address)) &&
             !listen(vm->listener, 4),
         "listen");
    close(fd);
}

void fake_vm_start(struct fake_vm *vm)
{
    vm->stop = eventfd(0, EFD_CLOEXEC);
    listen_at(vm);
    must(!pthread_create(&vm->thread, NULL, run, vm), "start a thread");
    vm->running = true;
}

static void close_fd(int *fd)
{
    if (*fd != NO_FD)
        close(*fd);
    *fd = NO_FD;
}

void fake_vm_die(struct fake_vm *vm)
{
    if (vm->running) {
        must(!eventfd_write(vm->stop, 1) && !pthread_join(vm->thread, NULL), "end the thread");
        vm->running = false;
    }
    close_fd(&vm->stop);
    close_fd(&vm->listener);
    close_fd(&vm->owner);
}

void fake_vm_free(struct fake_vm *vm)
{
    static const size_t sizes[] = {0x10000, 0x2000};

    fake_vm_die(vm);
    unlink(vm->path);
    for (size_t i = 0; i < MAX_FDS; i++)
        close_fd(&vm->fds[i]);
    munmap(vm->peer_page, CROSSVM_PAGE_SIZE);
    for (size_t i = 0; i < 2; i++)
        munmap(vm->dataports[i], sizes[i]);
}

/* --- what a VM does --- */

void fake_vm_emit(const struct fake_vm *vm, uint64_t n)
{
    must(!eventfd_write(vm->fds[0], n), "emit");
}

uint64_t fake_vm_take_signals(const struct fake_vm *vm)
{
    eventfd_t count = 0;

    must(!eventfd_read(vm->fds[1], &count) || errno == EAGAIN, "take signals");
    return count;
}

void fake_vm_send(struct fake_vm *vm, const void *bytes, size_t length, int fd)
{
    send_with(vm->owner, bytes, length, &fd, fd != NO_FD);
}

void fake_vm_await_taken(const struct fake_vm *vm)
{
    int waiting = 1; /* bytes in the socket */

    while (!__atomic_load_n(&vm->has_replied, __ATOMIC_ACQUIRE) || waiting > 0) {
        usleep(1000);
        must(!vm->has_replied || ioctl(vm->owner, SIOCOUTQ, &waiting) == 0, "look into the socket");
    }
}

void fake_vm_send_driver(struct fake_vm *vm, uint32_t driver_state)
{
    send_driver(vm, driver_state, NO_FD);
}
