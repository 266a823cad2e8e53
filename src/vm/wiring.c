/* SPDX-License-Identifier: BSD-2-Clause */
#include "wiring.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "../common/message.h"
#include "../common/read_nowait.h"
#include "../common/shared_event.h"

#define READ_WRITE (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE)

/*
 * Must not use a plain read(), which could wait for ever: the peer shares the descriptor, and can empty it and clear
 * its O_NONBLOCK at any time. Returns 0, or -1 with errno.
 */
static int drain_guest_doorbell(const struct wiring *wiring)
{
    uint64_t events;
    ssize_t length;

    do
        length = read_nowait(wiring->guest_doorbell, &events, sizeof(events));
    while (length < 0 && errno == EINTR);
    return length == sizeof(events) || (length < 0 && errno == EAGAIN) ? 0 : -1;
}

/* --- making --- */

void wiring_init(struct wiring *wiring)
{
    *wiring = (struct wiring){
        .peer_doorbell = -1, .guest_doorbell = -1, .peer_page = SHARED_MEMORY_NONE, .own_page = SHARED_MEMORY_NONE};
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        wiring->dataports[i] = SHARED_MEMORY_NONE;
}

/* Maps a page of a sequence. NULL after a message. */
static volatile uint64_t *map_sequence(const struct wiring *wiring, const struct shared_memory *page)
{
    volatile uint64_t *sequence = kvm_frames_map(page->frames, 1);

    if (!sequence)
        message("connection %s: cannot map a page: %s", wiring->name, error_reason(errno));
    return sequence;
}

int wiring_create(struct wiring *wiring, vm_t *vm, const struct crossvm_wire_join *join, int *fds)
{
    wiring_init(wiring);
    wiring->vm = vm;
    memcpy(wiring->name, join->name, sizeof(wiring->name));
    wiring->base_block_only = join->base_block_only;
    wiring->end = join->end;
    wiring->peer_doorbell = descriptor_take(&fds[0]);
    wiring->guest_doorbell = descriptor_take(&fds[1]);
    if (drain_guest_doorbell(wiring)) {
        message(
            "connection %s: the descriptor of its events cannot be read without waiting: it is no eventfd, or Linux "
            "is older than 5.8",
            wiring->name);
        return -1;
    }
    if (shared_event_prepare()) {
        message("connection %s: cannot join it: %s", wiring->name, shared_event_reason(errno));
        return -1;
    }
    if (shared_memory_take(&wiring->own_page, wiring->name, descriptor_take(&fds[2]), join->own_page_offset,
                           CROSSVM_PAGE_SIZE, READ_WRITE) ||
        shared_memory_take(&wiring->peer_page, wiring->name, descriptor_take(&fds[3]), join->peer_page_offset,
                           CROSSVM_PAGE_SIZE, CROSSVM_RIGHT_READ))
        return -1;
    wiring->peer_seq = map_sequence(wiring, &wiring->peer_page);
    if (!join->peer_is_host)
        wiring->own_seq = map_sequence(wiring, &wiring->own_page);
    if (!wiring->peer_seq || (!join->peer_is_host && !wiring->own_seq))
        return -1;
    for (size_t i = 0; i < join->num_dataports; i++) {
        if (shared_memory_take(&wiring->dataports[i], wiring->name,
                               descriptor_take(&fds[CROSSVM_WIRE_JOIN_FIXED_FDS + i]), join->dataports[i].offset,
                               join->dataports[i].size, join->dataports[i].rights))
            return -1;
        wiring->num_dataports++;
    }
    return 0;
}

static void unmap_sequence(volatile uint64_t *sequence, const struct shared_memory *page)
{
    if (sequence)
        kvm_frames_unmap((void *)sequence, page->frames, 1);
}

void wiring_destroy(struct wiring *wiring)
{
    if (wiring->wired_address)
        (void)kvm_ioeventfd_deassign(wiring->vm, wiring->wired_address, wiring->peer_doorbell);
    wiring->driver_changed = NULL;
    crossvm_remove(wiring->connection);
    kvm_irqfd_destroy(wiring->irqfd);
    if (wiring->loop)
        loop_unwatch(wiring->loop, &wiring->guest_doorbell_source);
    unmap_sequence(wiring->peer_seq, &wiring->peer_page);
    unmap_sequence(wiring->own_seq, &wiring->own_page);
    shared_memory_destroy(&wiring->peer_page);
    shared_memory_destroy(&wiring->own_page);
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        shared_memory_destroy(&wiring->dataports[i]);
    if (wiring->peer_doorbell >= 0)
        close(wiring->peer_doorbell);
    if (wiring->guest_doorbell >= 0)
        close(wiring->guest_doorbell);
}

/* --- guest to peer --- */

/* A store to DOORBELL that no ioeventfd took. */
static int signal_peer(void *cookie)
{
    const struct wiring *wiring = cookie;

    /* A full count is no error: a signal is waiting, and it tells of this event too. */
    return shared_event_signal(wiring->peer_doorbell, 1);
}

/* A store to EMIT by a guest whose peer is another guest. */
static int emit(void *cookie)
{
    struct wiring *wiring = cookie;

    /*
     * Release orders the guest's stores to dataports before its count, for a peer that loads PEER_SEQ with acquire. The
     * signal's system call comes after both.
     */
    (void)__atomic_fetch_add(wiring->own_seq, 1, __ATOMIC_RELEASE);
    return signal_peer(wiring);
}

static void driver_changed(void *cookie, uint32_t state)
{
    struct wiring *wiring = cookie;

    if (state != CROSSVM_DRIVER_NONE && state >= wiring->driver_state)
        wiring->driver_generation++;
    wiring->driver_state = state;
    if (wiring->driver_changed)
        wiring->driver_changed(wiring);
}

/* --- peer to guest --- */

/*
 * Follows PEER_SEQ, to which the peer adds before each signal, instead of counting signals: EVENT_SEQ must equal
 * PEER_SEQ when the guest changes from one to the other. The peer can write any value there, and spoils only its own
 * sequence. Without new events no interrupt is raised, since on a shared line no driver would claim it.
 */
static void relay(struct wiring *wiring)
{
    crossvm_connection_info_t info;
    uint64_t news;

    (void)drain_guest_doorbell(wiring);
    crossvm_get_connection_info(wiring->connection, &info);
    /* Acquire orders this load before the interrupt, and so before the guest's loads of dataports. It pairs with the
     * release of the peer's count. */
    news = __atomic_load_n(wiring->peer_seq, __ATOMIC_ACQUIRE) - info.events;
    if (news == 0)
        return;
    crossvm_count(wiring->connection, news < UINT32_MAX ? (uint32_t)news : UINT32_MAX);
    crossvm_interrupt(wiring->connection);
}

static void guest_doorbell_signalled(struct source *source, uint32_t events)
{
    struct wiring *wiring = (struct wiring *)((char *)source - offsetof(struct wiring, guest_doorbell_source));

    (void)events;
    relay(wiring);
}

static void watch_guest_doorbell(struct wiring *wiring, bool watch)
{
    if (watch)
        (void)loop_watch(wiring->loop, &wiring->guest_doorbell_source, EPOLLIN);
    else
        loop_unwatch(wiring->loop, &wiring->guest_doorbell_source);
}

/* Puts this process into the path of the peer's events again. */
static void unroute(struct wiring *wiring)
{
    kvm_irqfd_destroy(wiring->irqfd);
    wiring->irqfd = NULL;
    watch_guest_doorbell(wiring, true);
    relay(wiring);
}

static bool route_msi(void *cookie, const crossvm_msi_t *msi)
{
    struct wiring *wiring = cookie;

    if (!msi) {
        if (wiring->irqfd)
            unroute(wiring);
        return false;
    }
    if (wiring->irqfd) {
        if (kvm_irqfd_update(wiring->irqfd, msi->address, msi->data, msi->requester) == 0)
            return true;
        unroute(wiring);
        return false;
    }
    watch_guest_doorbell(wiring, false);
    if (kvm_irqfd_create(wiring->vm, wiring->guest_doorbell, msi->address, msi->data, msi->requester, &wiring->irqfd)) {
        wiring->irqfd = NULL;
        watch_guest_doorbell(wiring, true);
        return false;
    }
    return true;
}

/* --- installation --- */

void wiring_describe(struct wiring *wiring, crossvm_connection_config_t *config, crossvm_dataport_config_t *dataports)
{
    bool to_guest = wiring->own_seq != NULL;

    *config = (crossvm_connection_config_t){
        .name = wiring->name,
        .dataports = dataports,
        .num_dataports = wiring->num_dataports,
        .emit = to_guest ? emit : NULL,
        .driver_changed = driver_changed,
        .route_msi = route_msi,
        .emit_counted = to_guest ? signal_peer : NULL,
        .cookie = wiring,
        .end = wiring->end,
        .base_block_only = wiring->base_block_only,
    };
    if (!wiring->base_block_only) {
        config->peer_page = wiring->peer_page.frames[0];
        config->own_page = to_guest ? wiring->own_page.frames[0] : seL4_CapNull;
    }
    for (size_t i = 0; i < wiring->num_dataports; i++) {
        dataports[i] = (crossvm_dataport_config_t){
            .frames = wiring->dataports[i].frames,
            .num_frames = wiring->dataports[i].num_frames,
            .frame_size_bits = wiring->dataports[i].frame_size_bits,
            .guest_rights = wiring->dataports[i].rights,
        };
    }
}

/* Lets KVM signal the peer for a store to EMIT, or to DOORBELL where the guest counts. With another guest as peer and
 * no DOORBELL this process has to count, and so gets the stores. */
static int wire_doorbell(struct wiring *wiring)
{
    crossvm_connection_info_t info;
    uintptr_t address;
    int error;

    if (wiring->own_seq && wiring->base_block_only)
        return 0;
    crossvm_get_connection_info(wiring->connection, &info);
    address = info.bar_address[CROSSVM_BAR_EVENT] + (wiring->own_seq ? CROSSVM_REG_DOORBELL : CROSSVM_REG_EMIT);
    error = kvm_ioeventfd_assign(wiring->vm, address, wiring->peer_doorbell);
    if (error) {
        message("connection %s: KVM gives no ioeventfd: %s", wiring->name, error_reason(-error));
        return -1;
    }
    wiring->wired_address = address;
    return 0;
}

int wiring_attach(struct wiring *wiring, crossvm_connection_t *connection, struct loop *loop)
{
    wiring->connection = connection;
    wiring->loop = loop;
    wiring->guest_doorbell_source = (struct source){.fd = wiring->guest_doorbell, .handle = guest_doorbell_signalled};
    watch_guest_doorbell(wiring, true);
    relay(wiring); /* the peer may have emitted before this VM was started, or started again */
    crossvm_set_peer_state(connection, CROSSVM_PEER_ABSENT);
    return wire_doorbell(wiring);
}
