/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM with QEMU's ivshmem-doorbell: its guest has the end in one region of memory (docs/device.md, section 8). One
 * VMM at a time; when it is gone, another may come, and finds the dataports and the counts as they were.
 *
 * The VMM is given the region and the eventfds of the doorbells once. Events then go from one end to the other without
 * this process. It hears of the guest's driver, whose word lies in the region, at a doorbell of its own, and tells of
 * the peer there. The VMM sends nothing: whatever it sends ends its stay.
 *
 * QEMU's documentation (specs, ivshmem-spec) describes the protocol.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/message.h"
#include "../common/peer_state.h"
#include "../common/read_nowait.h"
#include "../common/shared_event.h"
#include "../vmm/event_page.h"
#include "../wire/descriptors.h"
#include "../wire/foreign.h"
#include "../wire/hang_up.h"
#include "door.h"
#include "entrance.h"

/* Numbers of the protocol. Each end has its own number as ID. */
#define PROTOCOL_VERSION 0
#define MEMORY_FOLLOWS (-1)
#define HUB_ID (CROSSVM_IVSHMEM_TO_HUB >> 16)

/* The count in the driver's word goes round. */
#define CAME_VALUES (1u << 24)

struct ivshmem_door {
    struct hub_door door;         /* first, so that a door is its ivshmem_door */
    struct hub_occupant occupant; /* at the end while there is a VMM */
    struct hub_entrance entrance;
    struct hub_loop *loop;
    struct hub_end *end;
    struct hub_source vmm;          /* fd -1: none */
    struct hub_source hub_doorbell; /* fd: an eventfd that the guest's driver signals */
    struct event_page page;         /* the end's, in the region */
    uint32_t driver;                /* the driver's word as it was last seen */
    uint32_t seen;                  /* low word of the peer's count when the last VMM left */
};

/* --- the region --- */

static volatile uint32_t *driver_word(const struct ivshmem_door *door)
{
    return (volatile uint32_t *)(hub_end_region(door->end)->front + CROSSVM_REGION_DRIVER_PAGE(door->end->number));
}

static void show_peer(struct ivshmem_door *door)
{
    const struct hub_end *peer = door->end->peer;

    cvmm_event_page_set_peer(&door->page, peer_state_of(peer->state), peer->generation);
}

/* Power-on values. What the guest before wrote to these pages is gone. */
static void fill(struct ivshmem_door *door)
{
    const struct hub_end *end = door->end;
    const struct region *region = hub_end_region(end);
    struct event_page_identity identity = {
        .name = hub_end_name(end),
        .features = CROSSVM_FEATURE_PEER_PAGE | CROSSVM_FEATURE_OWN_PAGE,
        .end = end->number,
        .num_dataports = hub_end_num_dataports(end),
    };

    for (size_t i = 0; i < identity.num_dataports; i++) {
        identity.dataports[i] = (struct event_page_dataport){
            .size = hub_end_dataport_size(end, i),
            .rights = hub_end_rights(end, i),
            .bar = CROSSVM_IVSHMEM_BAR_REGION,
        };
    }
    cvmm_event_page_init(&door->page, region->front + CROSSVM_REGION_EVENT_PAGE(end->number), &identity);
    for (size_t i = 0; i < identity.num_dataports; i++)
        cvmm_event_page_put64(&door->page, CROSSVM_REG_DATAPORT_OFFSET(i), hub_end_dataport(end, i).offset);
    cvmm_event_page_put32(&door->page, CROSSVM_REG_SEEN, door->seen);
    cvmm_event_page_set_status(&door->page, CROSSVM_STATUS_PEER_COUNTS);
    show_peer(door);
    *driver_word(door) = door->driver = CROSSVM_DRIVER_NONE;
    region_write_header(region);
}

/* --- who is there --- */

static void peer_changed(struct hub_occupant *occupant)
{
    struct ivshmem_door *door = (struct ivshmem_door *)((char *)occupant - offsetof(struct ivshmem_door, occupant));

    show_peer(door);
    if (door->driver & CROSSVM_REGION_DRIVER_STATE)
        (void)shared_event_signal(door->end->doorbell.fd, 1);
}

/* The guest's driver may have stored its word several times since the last look: it has the last state, and counts. */
static void hub_signalled(struct hub_source *source, uint32_t events)
{
    struct ivshmem_door *door = (struct ivshmem_door *)((char *)source - offsetof(struct ivshmem_door, hub_doorbell));
    uint64_t count;
    uint32_t word, came;

    (void)events;
    (void)read_nowait(source->fd, &count, sizeof(count));
    word = __atomic_load_n(driver_word(door), __ATOMIC_ACQUIRE);
    if (word == door->driver || (word & CROSSVM_REGION_DRIVER_STATE) > CROSSVM_DRIVER_OPEN)
        return;
    came = (word / CROSSVM_REGION_DRIVER_CAME - door->driver / CROSSVM_REGION_DRIVER_CAME) % CAME_VALUES;
    door->driver = word;
    hub_end_report(door->end, &(struct hub_report){.msi = (word & CROSSVM_REGION_DRIVER_STATE) != CROSSVM_DRIVER_NONE});
    hub_end_set_state_after(door->end, word & CROSSVM_REGION_DRIVER_STATE, came);
}

/* --- coming and going --- */

static void put_out(struct ivshmem_door *door)
{
    if (door->vmm.fd < 0)
        return;
    hub_loop_unwatch(door->loop, &door->hub_doorbell);
    hub_loop_unwatch(door->loop, &door->vmm);
    hub_entrance_hang_up(&door->entrance, door->vmm.fd);
    door->vmm.fd = -1;
    door->seen = (uint32_t)hub_end_peer_count(door->end);
    hub_end_leave(door->end);
}

static void serve(struct hub_source *source, uint32_t events)
{
    struct ivshmem_door *door = (struct ivshmem_door *)((char *)source - offsetof(struct ivshmem_door, vmm));
    char byte;
    ssize_t length = foreign_receive(source->fd, &byte, sizeof(byte), NULL, 0, NULL);

    (void)events;
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length > 0 || (length < 0 && errno == EBADMSG))
        hub_entrance_complain(&door->entrance,
                              "the VMM at %s sent something, and was disconnected: ivshmem has nothing to send; is "
                              "that another protocol?",
                              hub_entrance_path(&door->entrance));
    put_out(door);
}

/* Tells a VMM all that it will ever hear. A socket that is new has room for that. 0, or a negative errno value. */
static int introduce(const struct ivshmem_door *door)
{
    const struct hub_end *end = door->end;
    const struct {
        int64_t number;
        int fd; /* that goes with it, or -1 */
    } messages[] = {
        {PROTOCOL_VERSION, -1},
        {end->number, -1},
        {MEMORY_FOLLOWS, hub_end_region(end)->memfd},
        {end->peer->number, end->peer->doorbell.fd},
        {HUB_ID, door->hub_doorbell.fd},
        {end->number, end->doorbell.fd},
    };

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        if (cvm_descriptors_send(door->vmm.fd, &messages[i].number, sizeof(messages[i].number), &messages[i].fd,
                                 messages[i].fd >= 0))
            return -errno;
    }
    return 0;
}

/* 0, or a negative errno value */
static int hand_over(struct ivshmem_door *door)
{
    int error;

    fill(door);
    if (hub_loop_watch(door->loop, &door->vmm, EPOLLIN) || hub_loop_watch(door->loop, &door->hub_doorbell, EPOLLIN))
        return -errno;
    error = hub_end_take(door->end, &door->occupant);
    return error ? error : introduce(door);
}

static void welcome(struct hub_entrance *entrance, int fd)
{
    struct ivshmem_door *door = (struct ivshmem_door *)((char *)entrance - offsetof(struct ivshmem_door, entrance));
    int error;

    /* The VMM before may have gone without our having come to its socket yet. */
    if (door->vmm.fd >= 0 && has_hung_up(door->vmm.fd))
        put_out(door);
    if (!hub_entrance_lets_in(entrance, fd, door->vmm.fd >= 0))
        return;
    door->vmm.fd = fd;
    error = hand_over(door);
    if (!error)
        return;
    hub_entrance_cannot_hand_over(entrance, error);
    put_out(door);
}

/* --- life --- */

static void close_door(struct hub_door *closed)
{
    struct ivshmem_door *door = (struct ivshmem_door *)closed;

    put_out(door);
    hub_entrance_close(&door->entrance);
    if (door->hub_doorbell.fd >= 0)
        close(door->hub_doorbell.fd);
    free(door);
}

struct hub_door *hub_door_ivshmem_open(struct hub_loop *loop, struct hub_end *end, const char *path)
{
    struct ivshmem_door *door = calloc(1, sizeof(*door));

    if (!door) {
        message("no memory for connection \"%s\"", hub_end_name(end));
        return NULL;
    }
    door->door.close = close_door;
    door->occupant.peer_changed = peer_changed;
    door->entrance = HUB_ENTRANCE_CLOSED;
    door->loop = loop;
    door->end = end;
    door->vmm = (struct hub_source){.fd = -1, .handle = serve};
    door->hub_doorbell = (struct hub_source){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .handle = hub_signalled};
    if (door->hub_doorbell.fd < 0)
        message("connection \"%s\": cannot make an eventfd: %s", hub_end_name(end), error_reason(errno));
    else if (hub_entrance_open(&door->entrance, loop, SOCK_STREAM, path, hub_end_name(end), welcome) == 0)
        return &door->door;
    close_door(&door->door);
    return NULL;
}
