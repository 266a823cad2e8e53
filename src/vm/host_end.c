/* SPDX-License-Identifier: BSD-2-Clause */
#include "host_end.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "message.h"

#define HUGE_FRAME_BITS 21

/*
 * Empties notify without ever waiting: the peer shares the descriptor, so it may have emptied it itself, and have
 * cleared its O_NONBLOCK. 0, or -1 with errno.
 */
static int take_notify(struct host_end *end)
{
    uint64_t events;
    struct iovec part = {.iov_base = &events, .iov_len = sizeof(events)};
    ssize_t length;

    do
        length = preadv2(end->notify, &part, 1, -1, RWF_NOWAIT);
    while (length < 0 && errno == EINTR);
    return length == sizeof(events) || errno == EAGAIN ? 0 : -1;
}

static int memory_import(struct host_memory *memory, const char *name)
{
    memory->memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (memory->memfd < 0 || ftruncate(memory->memfd, (off_t)memory->size) ||
        fcntl(memory->memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW))
        return -errno;
    return kvm_frames_import(memory->memfd, 0, memory->num_frames, memory->frame_size_bits, memory->frames);
}

static int memory_create(struct host_memory *memory, const char *name, uint64_t size, enum writer writer)
{
    bool huge = size % ((uint64_t)1 << HUGE_FRAME_BITS) == 0;
    int error;

    memory->size = size;
    memory->frame_size_bits = huge ? HUGE_FRAME_BITS : seL4_PageBits;
    memory->num_frames = size >> memory->frame_size_bits;
    memory->guest_rights = CROSSVM_RIGHT_READ | (writer == WRITER_HOST ? 0 : CROSSVM_RIGHT_WRITE);
    memory->host_rights = CROSSVM_RIGHT_READ | (writer == WRITER_GUEST ? 0 : CROSSVM_RIGHT_WRITE);
    memory->frames = calloc(memory->num_frames, sizeof(*memory->frames));
    error = memory->frames ? memory_import(memory, name) : -ENOMEM;
    if (error) {
        if (memory->memfd >= 0)
            close(memory->memfd);
        free(memory->frames);
        *memory = (struct host_memory){.memfd = -1};
        message("connection %s: cannot make %llu bytes of shared memory: %s", name, (unsigned long long)size,
                strerror(-error));
        return -1;
    }
    return 0;
}

/*
 * Once the VM has mapped it: what the host may only read cannot be mapped for writing any more, by whatever descriptor.
 * (One that is open for reading only is not enough, since Linux lets its holder open the memfd anew.)
 */
static int memory_seal(const struct host_memory *memory)
{
    int seals = F_SEAL_SEAL | (memory->host_rights & CROSSVM_RIGHT_WRITE ? 0 : F_SEAL_FUTURE_WRITE);

    return fcntl(memory->memfd, F_ADD_SEALS, seals);
}

static void memory_destroy(struct host_memory *memory)
{
    if (memory->num_frames)
        kvm_frames_free(memory->frames, memory->num_frames);
    free(memory->frames);
    if (memory->memfd >= 0)
        close(memory->memfd);
}

int host_end_create(struct host_end *end, vm_t *vm, const struct connection_option *option)
{
    *end = (struct host_end){
        .option = option, .vm = vm, .emit = -1, .notify = -1, .epoll = -1, .peer_page = {.memfd = -1}};
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        end->dataports[i].memfd = -1;

    /* Blocking, so that a peer with nothing else to watch can wait in one read(). */
    end->emit = eventfd(0, EFD_CLOEXEC);
    end->notify = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (end->emit < 0 || end->notify < 0) {
        message("connection %s: cannot make an eventfd: %s", option->name, strerror(errno));
        return -1;
    }
    if (take_notify(end)) {
        message("connection %s: eventfds cannot be read without waiting: Linux 5.8 or later is needed", option->name);
        return -1;
    }
    if (memory_create(&end->peer_page, option->name, CROSSVM_PAGE_SIZE, WRITER_HOST))
        return -1;
    end->peer_seq = kvm_frames_map(end->peer_page.frames, 1);
    if (!end->peer_seq) {
        message("connection %s: cannot map its peer page: %s", option->name, strerror(errno));
        return -1;
    }
    for (size_t i = 0; i < option->num_dataports; i++) {
        if (memory_create(&end->dataports[i], option->name, option->dataports[i].size, option->dataports[i].writer))
            return -1;
    }
    return 0;
}

void host_end_destroy(struct host_end *end)
{
    if (end->has_ioeventfd) {
        crossvm_info_t info;

        crossvm_get_info(end->connection, &info);
        (void)kvm_ioeventfd_deassign(end->vm, info.bar_address[CROSSVM_BAR_EVENT] + CROSSVM_REG_EMIT, end->emit);
    }
    crossvm_remove(end->connection);
    kvm_irqfd_destroy(end->irqfd);
    if (end->peer_seq)
        kvm_frames_unmap((void *)end->peer_seq, end->peer_page.frames, 1);
    memory_destroy(&end->peer_page);
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        memory_destroy(&end->dataports[i]);
    if (end->emit >= 0)
        close(end->emit);
    if (end->notify >= 0)
        close(end->notify);
}

/* --- guest to peer --- */

static void driver_changed(void *cookie, uint32_t state)
{
    struct host_end *end = cookie;

    if (end->driver_changed)
        end->driver_changed(end, state);
}

/* --- peer to guest --- */

static void watch_notify(struct host_end *end, bool watch)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end->notify_source};

    if (end->epoll >= 0)
        (void)epoll_ctl(end->epoll, watch ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, end->notify, &event);
}

/*
 * The peer adds to PEER_SEQ before it signals, whoever counts. Following it here, rather than counting signals, keeps
 * the two sequences equal when the guest goes from one to the other. The peer can write anything there; it only spoils
 * its own sequence. Without news there is no interrupt, which on a shared line nobody would claim.
 */
void host_end_relay(struct host_end *end)
{
    crossvm_info_t info;
    uint64_t news;

    (void)take_notify(end);
    crossvm_get_info(end->connection, &info);
    news = __atomic_load_n(end->peer_seq, __ATOMIC_ACQUIRE) - info.events; /* orders the peer's data after its count */
    if (news == 0)
        return;
    crossvm_count(end->connection, news < UINT32_MAX ? (uint32_t)news : UINT32_MAX);
    crossvm_interrupt(end->connection);
}

/* Puts this process into the path of the peer's events again. */
static void unroute(struct host_end *end)
{
    kvm_irqfd_destroy(end->irqfd);
    end->irqfd = NULL;
    watch_notify(end, true);
    host_end_relay(end);
}

static bool route_msi(void *cookie, const crossvm_msi_t *msi)
{
    struct host_end *end = cookie;

    if (!msi) {
        if (end->irqfd)
            unroute(end);
        return false;
    }
    if (end->irqfd) {
        if (kvm_irqfd_update(end->irqfd, msi->address, msi->data, msi->requester) == 0)
            return true;
        unroute(end);
        return false;
    }
    watch_notify(end, false);
    if (kvm_irqfd_create(end->vm, end->notify, msi->address, msi->data, msi->requester, &end->irqfd)) {
        end->irqfd = NULL;
        watch_notify(end, true);
        return false;
    }
    return true;
}

/* --- installation --- */

void host_end_describe(struct host_end *end, crossvm_config_t *config, crossvm_dataport_t *dataports)
{
    *config = (crossvm_config_t){
        .name = end->option->name,
        .dataports = dataports,
        .num_dataports = end->option->num_dataports,
        .driver_changed = driver_changed,
        .route_msi = route_msi,
        .cookie = end,
        .peer_page = end->option->base_block_only ? seL4_CapNull : end->peer_page.frames[0],
        .base_block_only = end->option->base_block_only,
    };
    for (size_t i = 0; i < end->option->num_dataports; i++) {
        dataports[i] = (crossvm_dataport_t){
            .frames = end->dataports[i].frames,
            .num_frames = end->dataports[i].num_frames,
            .frame_size_bits = end->dataports[i].frame_size_bits,
            .guest_rights = end->dataports[i].guest_rights,
        };
    }
}

int host_end_attach(struct host_end *end, crossvm_connection_t *connection, int epoll, void *notify_source)
{
    crossvm_info_t info;
    int error;

    end->connection = connection;
    end->epoll = epoll;
    end->notify_source = notify_source;
    error = memory_seal(&end->peer_page);
    for (size_t i = 0; i < end->option->num_dataports && !error; i++)
        error = memory_seal(&end->dataports[i]);
    if (error) {
        message("connection %s: cannot seal its memory: %s", end->option->name, strerror(errno));
        return -1;
    }
    watch_notify(end, true);
    crossvm_set_peer_state(connection, CROSSVM_PEER_ABSENT);

    crossvm_get_info(connection, &info);
    error = kvm_ioeventfd_assign(end->vm, info.bar_address[CROSSVM_BAR_EVENT] + CROSSVM_REG_EMIT, end->emit);
    if (error) {
        message("connection %s: KVM gives no ioeventfd: %s", info.name, strerror(-error));
        return -1;
    }
    end->has_ioeventfd = true;
    return 0;
}
