/* SPDX-License-Identifier: BSD-2-Clause */
#include "server.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/message.h"
#include "../wire/descriptors.h"
#include "../wire/door.h"
#include "../wire/hang_up.h"
#include "report.h"

/* A program at an end. */
struct client {
    struct source source; /* first, so that a client's source is the client; fd -1: none */
    struct end *end;
    struct report report;
    int64_t asked_ms;
    uint64_t turn; /* of its coming or asking: several may have come in a millisecond */
};

/* The host's end of a connection. */
struct end {
    struct source listener; /* first, so that a listener's source is its end */
    bool is_paused;         /* the listener is not watched for now */
    struct door door;
    struct server *server;
    struct wiring *wiring;
    struct client clients[DOOR_MAX_CLIENTS];
    struct client *owner;
    uint32_t generation; /* counts owners */
    uint64_t turns;      /* counts clients that come or ask */
};

struct server {
    const char *vm_name;
    struct loop *loop;
    struct end *ends;
    size_t num_ends;
    struct source timer; /* a timerfd: when the next client has been silent for too long, or a listener's pause ends */
};

/* --- replies --- */

static void describe(const struct end *end, struct crossvm_wire_reply *reply)
{
    const struct wiring *wiring = end->wiring;
    crossvm_connection_info_t info;
    kvm_vm_stats_t stats = {0};

    crossvm_get_connection_info(wiring->connection, &info);
    (void)kvm_vm_get_stats(wiring->vm, &stats);
    reply->driver_state = wiring->driver_state;
    reply->driver_generation = wiring->driver_generation;
    reply->generation = end->generation;
    reply->owned = end->owner != NULL;
    reply->num_dataports = (uint32_t)wiring->num_dataports;
    reply->msi = info.msi_enabled;
    reply->peer_counts = info.peer_counts;
    reply->irq = info.irq;
    reply->vm_exits = stats.exits;
    reply->vm_user_exits = stats.user_exits;
    for (size_t i = 0; i < wiring->num_dataports; i++) {
        reply->dataports[i] = (struct crossvm_wire_dataport){
            .size = wiring->dataports[i].size,
            .host_rights = wiring->dataports[i].peer_rights,
            .guest_rights = wiring->dataports[i].guest_rights,
        };
    }
}

static int send_reply(const struct client *client, const struct crossvm_wire_reply *reply, const int *fds, size_t n)
{
    return cvm_descriptors_send(client->source.fd, reply, sizeof(*reply), fds, n);
}

static int send_end(const struct client *client, const struct crossvm_wire_reply *reply)
{
    const struct wiring *wiring = client->end->wiring;
    int fds[CROSSVM_WIRE_MAX_FDS] = {wiring->peer_doorbell, wiring->guest_doorbell, wiring->peer_page.memfd};
    size_t opened = CROSSVM_WIRE_FIXED_FDS;
    int error = -1;

    for (; opened < CROSSVM_WIRE_FIXED_FDS + wiring->num_dataports; opened++) {
        fds[opened] = shared_memory_open_for_peer(&wiring->dataports[opened - CROSSVM_WIRE_FIXED_FDS]);
        if (fds[opened] < 0)
            goto cleanup;
    }
    error = send_reply(client, reply, fds, opened);
cleanup:
    while (opened > CROSSVM_WIRE_FIXED_FDS)
        close(fds[--opened]);
    return error;
}

/* --- clients --- */

static void drop(struct client *client)
{
    struct end *end = client->end;

    close(client->source.fd);
    client->source.fd = -1;
    if (end->owner != client)
        return;
    end->owner = NULL;
    crossvm_set_peer_state(end->wiring->connection, CROSSVM_PEER_ABSENT);
}

/* Makes a client the owner of the end, unless there is another. 0 or an errno value for the reply. */
static uint32_t take_end(struct client *client)
{
    struct end *end = client->end;

    /* The owner may have closed its socket without our having seen it yet. */
    if (end->owner && end->owner != client && has_hung_up(end->owner->source.fd))
        drop(end->owner);
    if (end->owner)
        return EBUSY;
    end->owner = client;
    end->generation++;
    /* Before the reply: the guest learns of the program before that can emit. */
    crossvm_set_peer_state(end->wiring->connection, CROSSVM_PEER_READY);
    return 0;
}

/* 0, or -1 for a client to drop. */
static int answer(struct client *client, const struct crossvm_wire_header *request)
{
    struct crossvm_wire_reply reply = {.header = *request};
    const struct end *end = client->end;

    if (request->magic != CROSSVM_WIRE_MAGIC || request->version != CROSSVM_WIRE_VERSION ||
        (request->type != CROSSVM_WIRE_ATTACH && request->type != CROSSVM_WIRE_INFO))
        return -1;
    memcpy(reply.name, end->wiring->name, sizeof(reply.name));
    (void)snprintf(reply.vm, sizeof(reply.vm), "%s", end->server->vm_name);
    if (!listener_admits(&end->door.listener, client->source.fd)) {
        reply.status = EACCES;
        return send_reply(client, &reply, NULL, 0);
    }
    if (request->type == CROSSVM_WIRE_ATTACH)
        reply.status = take_end(client);
    describe(end, &reply);
    if (request->type == CROSSVM_WIRE_ATTACH && reply.status == 0)
        return send_end(client, &reply);
    return send_reply(client, &reply, NULL, 0);
}

/* --- silence and pauses --- */

/* When a client will have been silent for too long; for the owner, never. */
static int64_t due_ms(const struct client *client)
{
    if (client->source.fd < 0 || client == client->end->owner)
        return NEVER_MS;
    return client->asked_ms + DOOR_SILENCE_MS;
}

/* Drops clients that have been silent for too long, and watches the listener unless it pauses. When to look again. */
static int64_t look_at(struct end *end, int64_t now)
{
    int64_t next = listener_due_ms(&end->door.listener, now);
    bool is_paused = next != NEVER_MS;

    if (is_paused != end->is_paused)
        loop_change(end->server->loop, &end->listener, is_paused ? 0 : EPOLLIN);
    end->is_paused = is_paused;
    for (size_t i = 0; i < DOOR_MAX_CLIENTS; i++) {
        if (due_ms(&end->clients[i]) <= now)
            drop(&end->clients[i]);
        next = earlier_ms(next, due_ms(&end->clients[i]));
    }
    return next;
}

static void look_at_all(struct server *server)
{
    struct itimerspec timer = {0};
    int64_t now = now_ms(), next = NEVER_MS;

    for (size_t i = 0; i < server->num_ends; i++)
        next = earlier_ms(next, look_at(&server->ends[i], now));
    if (next != NEVER_MS) /* of CLOCK_MONOTONIC, too; all 0 disarms the timer */
        timer.it_value = (struct timespec){.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000 + 1};
    (void)timerfd_settime(server->timer.fd, TFD_TIMER_ABSTIME, &timer, NULL); /* it polls readable until then */
}

static void timer_ended(struct source *source, uint32_t events)
{
    (void)events;
    look_at_all((struct server *)((char *)source - offsetof(struct server, timer)));
}

/* --- what the loop calls --- */

/* A client that breaks the protocol or does not take its reply is dropped like one that left. */
static void serve(struct source *source, uint32_t events)
{
    struct client *client = (struct client *)source;
    struct server *server = client->end->server;
    struct crossvm_wire_header request;
    ssize_t length;

    if (events & EPOLLOUT)
        report_writable(&client->report, client->end->wiring);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    length = recv(client->source.fd, &request, sizeof(request), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    client->asked_ms = now_ms();
    client->turn = client->end->turns++;
    if (length < (ssize_t)sizeof(request) || answer(client, &request))
        drop(client);
    look_at_all(server);
}

/* Room for a client. If all of it is taken, the client that was silent for longest has to go. */
static struct client *make_room(struct end *end)
{
    struct client *longest = NULL;

    for (size_t i = 0; i < DOOR_MAX_CLIENTS; i++) {
        struct client *client = &end->clients[i];

        if (client->source.fd < 0)
            return client;
        if (client != end->owner && (!longest || client->turn < longest->turn))
            longest = client;
    }
    drop(longest);
    return longest;
}

static void take_client(struct end *end, int fd, int64_t now)
{
    struct client *client = make_room(end);

    *client = (struct client){
        .source = {.fd = fd, .handle = serve},
        .end = end,
        .report.source = &client->source,
        .asked_ms = now,
        .turn = end->turns++,
    };
    if (loop_watch(end->server->loop, &client->source, EPOLLIN))
        drop(client);
}

static void welcome(struct source *source, uint32_t events)
{
    struct end *end = (struct end *)source;
    int64_t now = now_ms();
    int fd = listener_accept(&end->door.listener, now);

    (void)events;
    if (fd >= 0)
        take_client(end, fd, now);
    else if (errno != EAGAIN)
        message("connection \"%s\": cannot accept programs for now: %s", end->wiring->name, error_reason(errno));
    look_at_all(end->server);
}

static void tell_driver(struct wiring *wiring)
{
    struct end *end = wiring->owner;

    if (end->owner)
        report_send(&end->owner->report, wiring);
}

/* --- life --- */

static struct end *add_end(struct server *server, struct wiring *wiring)
{
    struct end *end = &server->ends[server->num_ends++];

    *end = (struct end){
        .listener = {.fd = -1, .handle = welcome},
        .door = DOOR_CLOSED,
        .server = server,
        .wiring = wiring,
    };
    for (size_t i = 0; i < DOOR_MAX_CLIENTS; i++)
        end->clients[i] = (struct client){.source.fd = -1, .end = end};
    wiring->owner = end;
    return end;
}

struct server *server_create(const char *dir, const char *vm_name, struct loop *loop, struct wiring *const *wirings,
                             size_t n)
{
    struct server *server = calloc(1, sizeof(*server));
    struct end *ends = calloc(n ? n : 1, sizeof(*ends));

    if (!server || !ends) {
        message("no memory for the server of %zu connections", n);
        free(server);
        free(ends);
        return NULL;
    }
    *server = (struct server){.vm_name = vm_name, .loop = loop, .ends = ends, .timer.handle = timer_ended};
    server->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (server->timer.fd < 0) {
        message("cannot make a timer for the server of connections: %s", error_reason(errno));
        goto failed;
    }
    for (size_t i = 0; i < n; i++) {
        struct end *end = add_end(server, wirings[i]);

        if (door_open(&end->door, dir, wirings[i]->name))
            goto failed;
        end->listener.fd = end->door.listener.fd;
    }
    return server;
failed:
    server_destroy(server);
    return NULL;
}

int server_start(struct server *server)
{
    int error = loop_watch(server->loop, &server->timer, EPOLLIN);

    for (size_t i = 0; i < server->num_ends && !error; i++) {
        server->ends[i].wiring->driver_changed = tell_driver;
        error = loop_watch(server->loop, &server->ends[i].listener, EPOLLIN);
    }
    if (error)
        message("cannot watch the sockets of connections: %s", error_reason(errno));
    return error;
}

void server_destroy(struct server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < server->num_ends; i++) {
        struct end *end = &server->ends[i];

        end->wiring->driver_changed = NULL;
        for (size_t k = 0; k < DOOR_MAX_CLIENTS; k++) {
            if (end->clients[k].source.fd >= 0)
                drop(&end->clients[k]);
        }
        door_close(&end->door);
    }
    if (server->timer.fd >= 0)
        close(server->timer.fd);
    free(server->ends);
    free(server);
}
