/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crossvm-vm. It is handed memory and doorbells once, and then its guest uses them without this process; the socket
 * says that the VM is there, and brings news both ways. One VM at a time; when it is gone, another may come, and finds
 * the memory as it was.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/message.h"
#include "../wire/checks.h"
#include "../wire/descriptors.h"
#include "../wire/foreign.h"
#include "../wire/hang_up.h"
#include "../wire/wire.h"
#include "door.h"
#include "entrance.h"
#include "news.h"

struct vm_door {
    struct hub_door door; /* first, so that a door is its vm_door */
    struct hub_occupant occupant;
    struct hub_entrance entrance;
    struct hub_source vm; /* fd -1: none */
    struct hub_loop *loop;
    struct hub_end *end;
    uint32_t generation; /* that this VM told last */
    bool late_news;      /* the socket was full when there was something to tell */
    bool late_question;  /* ... or to ask */
};

static struct vm_door *door_of(struct hub_occupant *occupant)
{
    return (struct vm_door *)((char *)occupant - offsetof(struct vm_door, occupant));
}

/* --- to the VM --- */

/* False: the socket is full. That it is broken is noticed by who reads. */
static bool send_all(const struct vm_door *door, const void *bytes, size_t size)
{
    return cvm_descriptors_send(door->vm.fd, bytes, size, NULL, 0) == 0 || (errno != EAGAIN && errno != ENOBUFS);
}

/* Each message carries the whole state, so one that a full socket did not take is sent when the socket takes it. */
static void send_late(struct vm_door *door)
{
    const struct crossvm_wire_driver news = hub_news_for(door->end);
    const struct crossvm_wire_header question = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_INFO};

    if (door->late_news && send_all(door, &news, sizeof(news)))
        door->late_news = false;
    if (door->late_question && send_all(door, &question, sizeof(question)))
        door->late_question = false;
    hub_loop_change(door->loop, &door->vm, door->late_news || door->late_question ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void peer_changed(struct hub_occupant *occupant)
{
    door_of(occupant)->late_news = true;
    send_late(door_of(occupant));
}

static void ask(struct hub_occupant *occupant)
{
    door_of(occupant)->late_question = true;
    send_late(door_of(occupant));
}

int hub_door_vm_join(const struct hub_end *end, int socket)
{
    int fds[CROSSVM_WIRE_JOIN_MAX_FDS] = {end->peer->doorbell.fd, end->doorbell.fd, end->page.memfd,
                                          end->peer->page.memfd};
    struct crossvm_wire_join join = {
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_JOIN},
        .end = end->number,
        .base_block_only = hub_end_base_block_only(end),
        .num_dataports = (uint32_t)hub_end_num_dataports(end),
        .peer_is_host = end->peer->door == CROSSVM_DOOR_HOST,
        .own_page_offset = end->page.offset,
        .peer_page_offset = end->peer->page.offset,
    };

    memcpy(join.name, hub_end_name(end), strlen(hub_end_name(end)));
    for (size_t i = 0; i < join.num_dataports; i++) {
        fds[CROSSVM_WIRE_JOIN_FIXED_FDS + i] = hub_end_dataport(end, i).memfd;
        join.dataports[i].offset = hub_end_dataport(end, i).offset;
        join.dataports[i].size = hub_end_dataport_size(end, i);
        join.dataports[i].rights = hub_end_rights(end, i);
    }
    return cvm_descriptors_send(socket, &join, sizeof(join), fds, CROSSVM_WIRE_JOIN_FIXED_FDS + join.num_dataports);
}

/* --- coming and going --- */

static void put_out(struct vm_door *door)
{
    if (door->vm.fd < 0)
        return;
    hub_loop_unwatch(door->loop, &door->vm);
    hub_entrance_hang_up(&door->entrance, door->vm.fd);
    door->vm.fd = -1;
    door->late_news = door->late_question = false;
    if (door->end->occupant == &door->occupant)
        hub_end_leave(door->end);
}

/* What a VM sends that is no report is ignored. */
static void take_report(struct vm_door *door, const struct crossvm_wire_report *report, ssize_t length)
{
    uint32_t came = report->generation - door->generation;

    if (length != (ssize_t)sizeof(*report) || !wire_header_is_of(&report->header, CROSSVM_WIRE_REPORT) ||
        report->driver_state > CROSSVM_DRIVER_OPEN)
        return;
    door->generation = report->generation;
    hub_end_set_state_after(door->end, report->driver_state, came);
    hub_end_report(door->end, &(struct hub_report){report->msi != 0, report->vm_exits, report->vm_user_exits});
}

static void serve(struct hub_source *source, uint32_t events)
{
    struct vm_door *door = (struct vm_door *)((char *)source - offsetof(struct vm_door, vm));
    struct crossvm_wire_report report;
    ssize_t length;

    if (events & EPOLLOUT)
        send_late(door);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    length = foreign_receive(source->fd, &report, sizeof(report), NULL, 0, NULL);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0)
        put_out(door);
    else
        take_report(door, &report, length);
}

/* 0, or a negative errno value */
static int hand_over(struct vm_door *door)
{
    int error = hub_loop_watch(door->loop, &door->vm, EPOLLIN) ? -errno : hub_end_take(door->end, &door->occupant);

    if (!error && hub_door_vm_join(door->end, door->vm.fd))
        error = -errno;
    return error;
}

static void welcome(struct hub_entrance *entrance, int fd)
{
    struct vm_door *door = (struct vm_door *)((char *)entrance - offsetof(struct vm_door, entrance));
    int error;

    /* The VM before may have ended without our having come to its socket yet. */
    if (door->vm.fd >= 0 && has_hung_up(door->vm.fd))
        put_out(door);
    if (!hub_entrance_lets_in(entrance, fd, door->vm.fd >= 0))
        return;
    door->vm.fd = fd;
    door->generation = 0;
    error = hand_over(door);
    if (!error) {
        peer_changed(&door->occupant);
        return;
    }
    hub_entrance_cannot_hand_over(entrance, error);
    put_out(door);
}

/* --- life --- */

static void close_door(struct hub_door *closed)
{
    struct vm_door *door = (struct vm_door *)closed;

    put_out(door);
    hub_entrance_close(&door->entrance);
    free(door);
}

struct hub_door *hub_door_vm_open(struct hub_loop *loop, struct hub_end *end, const char *path)
{
    struct vm_door *door = calloc(1, sizeof(*door));

    if (!door) {
        message("no memory for connection \"%s\"", hub_end_name(end));
        return NULL;
    }
    door->door.close = close_door;
    door->occupant = (struct hub_occupant){.peer_changed = peer_changed, .ask = ask};
    door->entrance = HUB_ENTRANCE_CLOSED;
    door->vm = (struct hub_source){.fd = -1, .handle = serve};
    door->loop = loop;
    door->end = end;
    if (hub_entrance_open(&door->entrance, loop, SOCK_SEQPACKET, path, hub_end_name(end), welcome) == 0)
        return &door->door;
    close_door(&door->door);
    return NULL;
}
