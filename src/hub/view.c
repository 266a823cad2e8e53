/* SPDX-License-Identifier: BSD-2-Clause */
#include "view.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "../common/message.h"
#include "../wire/checks.h"
#include "../wire/descriptors.h"
#include "../wire/foreign.h"
#include "../wire/wire.h"
#include "entrance.h"

/* A program that looks. */
struct viewer {
    struct hub_source source; /* first, so that a viewer's source is the viewer; fd -1: none */
    struct hub_view *view;
    bool admitted; /* it has asked, and may see all */
    bool has_memory;
    bool awaits[2]; /* the report of the VM at that end, to be told */
    bool late;      /* its socket was full when there was something to tell */
    uint64_t turn;  /* of its coming or asking */
};

struct hub_view {
    struct hub_observer observer; /* of the connection */
    struct hub_entrance entrance;
    struct hub_loop *loop;
    struct hub_connection *connection;
    struct viewer viewers[HUB_VIEW_OBSERVERS];
    uint64_t turns; /* counts viewers that come or ask */
};

/* --- telling --- */

static void describe_end(const struct hub_end *end, struct crossvm_wire_observed_end *told)
{
    const struct hub_occupant *occupant = end->occupant;

    memcpy(told->vm, end->vm, sizeof(told->vm));
    told->door = end->door;
    told->here = occupant != NULL;
    told->driver_state = end->state;
    told->generation = end->generation;
    told->vm_exits = end->report.vm_exits;
    told->vm_user_exits = end->report.vm_user_exits;
    told->accesses = occupant && occupant->accesses ? occupant->accesses(occupant) : 0;
    told->page_offset = end->page.offset;
}

static struct crossvm_wire_observed describe(const struct hub_view *view, enum crossvm_wire_type type)
{
    const struct hub_end *end = hub_connection_end(view->connection, 0);
    struct crossvm_wire_observed told = {
        .header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, (uint16_t)type},
        .num_dataports = (uint32_t)hub_end_num_dataports(end),
    };

    memcpy(told.name, hub_end_name(end), strlen(hub_end_name(end)));
    for (size_t i = 0; i < told.num_dataports; i++) {
        told.dataports[i] = (struct crossvm_wire_dataport){
            .size = hub_end_dataport_size(end, i),
            .offset = hub_end_dataport(end, i).offset,
            .rights = CROSSVM_RIGHT_READ,
        };
    }
    for (unsigned int i = 0; i < 2; i++)
        describe_end(hub_connection_end(view->connection, i), &told.ends[i]);
    return told;
}

/* Each message carries the whole state, so one that a full socket did not take is sent when the socket takes it. */
static void tell(struct viewer *viewer)
{
    struct crossvm_wire_observed told = describe(viewer->view, CROSSVM_WIRE_INFO);
    bool was_late = viewer->late;

    for (unsigned int i = 0; i < 2; i++)
        told.ends[i].asked = viewer->awaits[i];
    viewer->late = cvm_descriptors_send(viewer->source.fd, &told, sizeof(told), NULL, 0) != 0 &&
                   (errno == EAGAIN || errno == ENOBUFS);
    if (viewer->late != was_late)
        hub_loop_change(viewer->view->loop, &viewer->source, viewer->late ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void changed(struct hub_observer *observer)
{
    struct hub_view *view = (struct hub_view *)((char *)observer - offsetof(struct hub_view, observer));

    for (size_t i = 0; i < HUB_VIEW_OBSERVERS; i++) {
        if (view->viewers[i].source.fd >= 0 && view->viewers[i].admitted)
            tell(&view->viewers[i]);
    }
}

/* Not to those who did not ask: they would ask again, for ever. */
static void reported(struct hub_observer *observer, unsigned int end)
{
    struct hub_view *view = (struct hub_view *)((char *)observer - offsetof(struct hub_view, observer));

    for (size_t i = 0; i < HUB_VIEW_OBSERVERS; i++) {
        struct viewer *viewer = &view->viewers[i];

        if (viewer->source.fd < 0 || !viewer->awaits[end])
            continue;
        viewer->awaits[end] = false;
        tell(viewer);
    }
}

/* --- answering --- */

static int send_memory(struct viewer *viewer, const struct crossvm_wire_observed *told)
{
    const struct hub_end *end = hub_connection_end(viewer->view->connection, 0);
    int fds[CROSSVM_WIRE_OBSERVED_MAX_FDS] = {end->page.read_only, end->peer->page.read_only};

    for (size_t i = 0; i < told->num_dataports; i++)
        fds[CROSSVM_WIRE_OBSERVED_FIXED_FDS + i] = hub_end_dataport(end, i).read_only;
    viewer->has_memory = true;
    return cvm_descriptors_send(viewer->source.fd, told, sizeof(*told), fds,
                                CROSSVM_WIRE_OBSERVED_FIXED_FDS + told->num_dataports);
}

/*
 * Descriptors go once to each: those on their way count against a limit of this process's user. 0, or -1 for a viewer
 * to drop.
 */
static int answer(struct viewer *viewer, const struct crossvm_wire_header *request)
{
    bool wants_memory = wire_header_is_of(request, CROSSVM_WIRE_OBSERVE);
    struct crossvm_wire_observed told;

    if ((!wants_memory && !wire_header_is_of(request, CROSSVM_WIRE_INFO)) || (wants_memory && viewer->has_memory))
        return -1;
    told = describe(viewer->view, (enum crossvm_wire_type)request->type);
    if (!hub_entrance_admits(&viewer->view->entrance, viewer->source.fd)) {
        const struct crossvm_wire_observed refusal = {.header = *request, .status = EACCES};

        return cvm_descriptors_send(viewer->source.fd, &refusal, sizeof(refusal), NULL, 0);
    }
    viewer->admitted = true;
    for (unsigned int i = 0; i < 2; i++)
        told.ends[i].asked = viewer->awaits[i] = hub_end_ask(hub_connection_end(viewer->view->connection, i), NULL);
    if (wants_memory)
        return send_memory(viewer, &told);
    return cvm_descriptors_send(viewer->source.fd, &told, sizeof(told), NULL, 0);
}

/* --- what the loop calls --- */

static void drop(struct viewer *viewer)
{
    hub_loop_unwatch(viewer->view->loop, &viewer->source);
    hub_entrance_hang_up(&viewer->view->entrance, viewer->source.fd);
    viewer->source.fd = -1;
}

/* One that breaks the protocol or does not take its reply is dropped like one that left. */
static void serve(struct hub_source *source, uint32_t events)
{
    struct viewer *viewer = (struct viewer *)source;
    struct crossvm_wire_header request;
    ssize_t length;

    if (events & EPOLLOUT && viewer->late)
        tell(viewer);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    length = foreign_receive(source->fd, &request, sizeof(request), NULL, 0, NULL);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    viewer->turn = viewer->view->turns++;
    if (length < (ssize_t)sizeof(request) || answer(viewer, &request))
        drop(viewer);
}

static struct viewer *make_room(struct hub_view *view)
{
    struct viewer *longest = &view->viewers[0];

    for (size_t i = 0; i < HUB_VIEW_OBSERVERS; i++) {
        struct viewer *viewer = &view->viewers[i];

        if (viewer->source.fd < 0)
            return viewer;
        if (viewer->turn < longest->turn)
            longest = viewer;
    }
    drop(longest);
    return longest;
}

static void welcome(struct hub_entrance *entrance, int fd)
{
    struct hub_view *view = (struct hub_view *)((char *)entrance - offsetof(struct hub_view, entrance));
    struct viewer *viewer = make_room(view);

    *viewer = (struct viewer){.source = {.fd = fd, .handle = serve}, .view = view, .turn = view->turns++};
    if (hub_loop_watch(view->loop, &viewer->source, EPOLLIN))
        drop(viewer);
}

/* --- life --- */

void hub_view_close(struct hub_view *view)
{
    if (!view)
        return;
    hub_connection_observe(view->connection, NULL);
    for (size_t i = 0; i < HUB_VIEW_OBSERVERS; i++) {
        if (view->viewers[i].source.fd >= 0)
            drop(&view->viewers[i]);
    }
    hub_entrance_close(&view->entrance);
    free(view);
}

struct hub_view *hub_view_open(struct hub_loop *loop, struct hub_connection *connection, const char *path)
{
    const char *name = hub_end_name(hub_connection_end(connection, 0));
    struct hub_view *view = calloc(1, sizeof(*view));

    if (!view) {
        message("no memory for the view of connection \"%s\"", name);
        return NULL;
    }
    view->observer = (struct hub_observer){.changed = changed, .reported = reported};
    view->entrance = HUB_ENTRANCE_CLOSED;
    view->loop = loop;
    view->connection = connection;
    for (size_t i = 0; i < HUB_VIEW_OBSERVERS; i++)
        view->viewers[i] = (struct viewer){.source.fd = -1, .view = view};
    if (hub_entrance_open(&view->entrance, loop, SOCK_SEQPACKET, path, name, welcome) == 0) {
        hub_connection_observe(connection, &view->observer);
        return view;
    }
    free(view);
    return NULL;
}
