/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs of this machine. They are handed memory and doorbells once and then use them by themselves; the socket says
 * who has the end, and brings news of the peer.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
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

/* For how long a client waits for the report of the VM at the peer's end: if none comes, the one before has to do. */
#define REPORT_PATIENCE_MS 500

struct host_door;

/* A program that is connected. */
struct client {
    struct hub_source source; /* first, so that a client's source is the client; fd -1: none */
    struct host_door *door;
    bool waits; /* for the peer's report, to be answered with it */
    int64_t asked_ms;
    uint64_t turn; /* of its coming or asking: several may have come in a millisecond */
};

struct host_door {
    struct hub_door door;         /* first, so that a door is its host_door */
    struct hub_occupant occupant; /* at the end while a program has it */
    struct hub_asker asker;       /* for the report of who has the peer's end */
    struct hub_entrance entrance;
    struct hub_timer patience; /* when a client has waited, or been silent, for too long */
    struct hub_loop *loop;
    struct hub_end *end;
    char name[CROSSVM_FULL_NAME_BYTES];
    struct client clients[DOOR_MAX_CLIENTS];
    struct client *owner;
    uint64_t turns; /* counts clients that come or ask */
    bool late;      /* the owner's socket was full when there was something to tell */
};

/* --- telling --- */

/* Each message carries the whole state, so one that a full socket did not take is sent when the socket takes it. */
static void tell(struct host_door *door)
{
    const struct crossvm_wire_driver news = hub_news_for(door->end);
    bool was_late = door->late;

    door->late = cvm_descriptors_send(door->owner->source.fd, &news, sizeof(news), NULL, 0) != 0 &&
                 (errno == EAGAIN || errno == ENOBUFS);
    if (door->late != was_late)
        hub_loop_change(door->loop, &door->owner->source, door->late ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void peer_changed(struct hub_occupant *occupant)
{
    tell((struct host_door *)((char *)occupant - offsetof(struct host_door, occupant)));
}

/* --- clients --- */

static void drop(struct client *client)
{
    struct host_door *door = client->door;

    hub_loop_unwatch(door->loop, &client->source);
    hub_entrance_hang_up(&door->entrance, client->source.fd);
    client->source.fd = -1;
    if (door->owner != client)
        return;
    door->owner = NULL;
    door->late = false;
    hub_end_leave(door->end);
}

static void describe(const struct host_door *door, struct crossvm_wire_reply *reply)
{
    const struct hub_end *end = door->end, *peer = end->peer;

    memcpy(reply->name, door->name, sizeof(reply->name));
    memcpy(reply->vm, peer->vm, sizeof(reply->vm));
    reply->driver_state = peer->state;
    reply->generation = peer->generation;
    reply->peer_door = peer->door;
    reply->peer_here = peer->occupant != NULL;
    reply->msi = peer->report.msi;
    reply->vm_exits = peer->report.vm_exits;
    reply->vm_user_exits = peer->report.vm_user_exits;
    reply->owned = door->owner != NULL;
    reply->peer_end = peer->number;
    reply->num_dataports = (uint32_t)hub_end_num_dataports(end);
    reply->peer_page_offset = end->page.offset;
    for (size_t i = 0; i < reply->num_dataports; i++) {
        reply->dataports[i] = (struct crossvm_wire_dataport){
            .size = hub_end_dataport_size(end, i),
            .rights = hub_end_rights(end, i),
            .offset = hub_end_dataport(end, i).offset,
        };
    }
}

static int send_end(const struct client *client, const struct crossvm_wire_reply *reply)
{
    const struct hub_end *end = client->door->end;
    int fds[CROSSVM_WIRE_MAX_FDS] = {end->doorbell.fd, end->peer->doorbell.fd, end->page.memfd};

    for (size_t i = 0; i < reply->num_dataports; i++)
        fds[CROSSVM_WIRE_FIXED_FDS + i] = hub_end_dataport_fd(end, i);
    return cvm_descriptors_send(client->source.fd, reply, sizeof(*reply), fds,
                                CROSSVM_WIRE_FIXED_FDS + reply->num_dataports);
}

/* Makes a client the owner of the end, unless there is another. 0 or an errno value for the reply. */
static uint32_t take_end(struct client *client)
{
    struct host_door *door = client->door;
    int error;

    /* The owner may have closed its socket without our having seen it yet. */
    if (door->owner && door->owner != client && has_hung_up(door->owner->source.fd))
        drop(door->owner);
    error = hub_end_take(door->end, &door->occupant);
    if (error)
        return (uint32_t)-error;
    door->owner = client;
    /* Before the reply: the peer learns of the program before that can touch the memory. */
    hub_end_set_state(door->end, CROSSVM_DRIVER_OPEN);
    return 0;
}

static int send_reply(const struct client *client, struct crossvm_wire_reply *reply)
{
    describe(client->door, reply);
    if (reply->header.type == CROSSVM_WIRE_ATTACH && reply->status == 0)
        return send_end(client, reply);
    return cvm_descriptors_send(client->source.fd, reply, sizeof(*reply), NULL, 0);
}

static int send_info(struct client *client)
{
    struct crossvm_wire_reply reply = {.header = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, CROSSVM_WIRE_INFO}};

    client->waits = false;
    return send_reply(client, &reply);
}

/* 0, or -1 for a client to drop. */
static int answer(struct client *client, const struct crossvm_wire_header *request)
{
    struct crossvm_wire_reply reply = {.header = *request};
    struct host_door *door = client->door;

    if (!wire_header_is_of(request, CROSSVM_WIRE_ATTACH) && !wire_header_is_of(request, CROSSVM_WIRE_INFO))
        return -1;
    if (!hub_entrance_admits(&door->entrance, client->source.fd)) {
        reply.status = EACCES;
        memcpy(reply.name, door->name, sizeof(reply.name));
        return cvm_descriptors_send(client->source.fd, &reply, sizeof(reply), NULL, 0);
    }
    if (request->type == CROSSVM_WIRE_ATTACH) {
        reply.status = take_end(client);
        return send_reply(client, &reply);
    }
    client->waits = hub_end_ask(door->end->peer, &door->asker);
    return client->waits ? 0 : send_info(client);
}

/* Answers those who wait, and drops whoever does not take the answer. */
static void answered(struct hub_asker *asker)
{
    struct host_door *door = (struct host_door *)((char *)asker - offsetof(struct host_door, asker));

    for (size_t i = 0; i < DOOR_MAX_CLIENTS; i++) {
        struct client *client = &door->clients[i];

        if (client->source.fd >= 0 && client->waits && send_info(client))
            drop(client);
    }
}

/* --- time --- */

/* When a client will have waited, or been silent, for too long; for the owner, never. */
static int64_t due_ms(const struct client *client)
{
    if (client->source.fd >= 0 && client->waits)
        return client->asked_ms + REPORT_PATIENCE_MS;
    if (client->source.fd < 0 || client == client->door->owner)
        return NEVER_MS;
    return client->asked_ms + DOOR_SILENCE_MS;
}

static void end_patience(struct hub_timer *timer, int64_t now)
{
    struct host_door *door = (struct host_door *)((char *)timer - offsetof(struct host_door, patience));
    int64_t next = NEVER_MS;

    for (size_t i = 0; i < DOOR_MAX_CLIENTS; i++) {
        struct client *client = &door->clients[i];

        if (due_ms(client) <= now && (!client->waits || send_info(client)))
            drop(client);
        next = earlier_ms(next, due_ms(client));
    }
    hub_timer_set(door->loop, timer, next);
}

static void note_asking(struct client *client, int64_t now)
{
    struct host_door *door = client->door;

    client->asked_ms = now;
    client->turn = door->turns++;
    if (door->patience.due_ms > now + REPORT_PATIENCE_MS)
        hub_timer_set(door->loop, &door->patience, now + REPORT_PATIENCE_MS);
}

/* --- what the loop calls --- */

/* A client that breaks the protocol or does not take its reply is dropped like one that left. */
static void serve(struct hub_source *source, uint32_t events)
{
    struct client *client = (struct client *)source;
    struct crossvm_wire_header request;
    ssize_t length;

    if (events & EPOLLOUT && client->door->owner == client && client->door->late)
        tell(client->door);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    length = foreign_receive(source->fd, &request, sizeof(request), NULL, 0, NULL);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    note_asking(client, now_ms());
    if (length < (ssize_t)sizeof(request) || answer(client, &request))
        drop(client);
}

/* Room for a client. If all is taken, the client that was silent for longest has to go. */
static struct client *make_room(struct host_door *door)
{
    struct client *longest = NULL;

    for (size_t i = 0; i < DOOR_MAX_CLIENTS; i++) {
        struct client *client = &door->clients[i];

        if (client->source.fd < 0)
            return client;
        if (client != door->owner && (!longest || client->turn < longest->turn))
            longest = client;
    }
    drop(longest);
    return longest;
}

static void welcome(struct hub_entrance *entrance, int fd)
{
    struct host_door *door = (struct host_door *)((char *)entrance - offsetof(struct host_door, entrance));
    struct client *client = make_room(door);

    *client = (struct client){.source = {.fd = fd, .handle = serve}, .door = door};
    note_asking(client, now_ms());
    if (hub_loop_watch(door->loop, &client->source, EPOLLIN))
        drop(client);
}

/* --- life --- */

static void close_door(struct hub_door *closed)
{
    struct host_door *door = (struct host_door *)closed;

    for (size_t i = 0; i < DOOR_MAX_CLIENTS; i++) {
        if (door->clients[i].source.fd >= 0)
            drop(&door->clients[i]);
    }
    hub_end_ask_no_more(door->end->peer);
    hub_timer_stop(&door->patience);
    hub_entrance_close(&door->entrance);
    free(door);
}

struct hub_door *hub_door_host_open(struct hub_loop *loop, struct hub_end *end, const char *path, const char *name)
{
    struct host_door *door = calloc(1, sizeof(*door));

    if (!door) {
        message("no memory for connection \"%s\"", name);
        return NULL;
    }
    door->door.close = close_door;
    door->occupant.peer_changed = peer_changed;
    door->asker.answered = answered;
    door->entrance = HUB_ENTRANCE_CLOSED;
    door->patience = HUB_TIMER(end_patience);
    door->loop = loop;
    door->end = end;
    (void)snprintf(door->name, sizeof(door->name), "%s", name);
    for (size_t i = 0; i < DOOR_MAX_CLIENTS; i++)
        door->clients[i] = (struct client){.source.fd = -1, .door = door};
    if (hub_entrance_open(&door->entrance, loop, SOCK_SEQPACKET, path, door->name, welcome) == 0)
        return &door->door;
    close_door(&door->door);
    return NULL;
}
