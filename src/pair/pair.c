/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/descriptor_limit.h"
#include "../common/message.h"
#include "../common/size.h"
#include "../wire/descriptors.h"
#include "../wire/door.h"
#include "../wire/hang_up.h"
#include "../wire/memory.h"
#include "../wire/wire.h"

#define NOBODY (-1)

struct client {
    int fd; /* -1: none */
    int64_t asked_ms;
    uint64_t turn; /* of its coming or asking: several may have come in a millisecond */
};

/* One of the two ends. */
struct end {
    char name[CROSSVM_FULL_NAME_BYTES];
    struct door door;
    int doorbell; /* eventfd that the peer's program signals */
    int page;     /* memfd in which this end's program counts its events */
    struct client clients[DOOR_MAX_CLIENTS];
    int owner;           /* index of the client that has the end, or NOBODY */
    uint32_t generation; /* counts owners */
    uint64_t turns;      /* counts clients that come or ask */
    bool late;           /* the owner's socket was full when there was something to tell */
};

struct pair {
    struct pair_options options;
    struct end ends[2];
    int dataports[CROSSVM_MAX_DATAPORTS];
};

static struct end *peer_of(struct pair *pair, const struct end *end)
{
    return &pair->ends[end == &pair->ends[0]];
}

static uint32_t number_of(const struct pair *pair, const struct end *end)
{
    return end == &pair->ends[1];
}

static bool may_write(const struct pair *pair, size_t dataport, uint32_t number)
{
    return dataport_rights(&pair->options.dataports[dataport], number) & CROSSVM_RIGHT_WRITE;
}

static uint32_t state_of(const struct end *end)
{
    return end->owner == NOBODY ? CROSSVM_DRIVER_NONE : CROSSVM_DRIVER_OPEN;
}

/* --- telling --- */

/* Tells an end's owner whether a program is at the peer's end, now or when its socket takes it. */
static void tell(struct pair *pair, struct end *end)
{
    const struct end *peer = peer_of(pair, end);
    struct crossvm_wire_driver state = {
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_DRIVER},
        .driver_state = state_of(peer),
        .generation = peer->generation,
    };

    if (end->owner == NOBODY)
        return;
    end->late = cvm_descriptors_send(end->clients[end->owner].fd, &state, sizeof(state), NULL, 0) != 0 &&
                (errno == EAGAIN || errno == ENOBUFS);
}

/* --- clients --- */

static void drop(struct pair *pair, struct end *end, int client)
{
    close(end->clients[client].fd);
    end->clients[client].fd = -1;
    if (end->owner != client)
        return;
    end->owner = NOBODY;
    end->late = false;
    tell(pair, peer_of(pair, end));
}

static void describe(struct pair *pair, const struct end *end, struct crossvm_wire_reply *reply)
{
    const struct end *peer = peer_of(pair, end);
    const uint32_t both = CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE;
    uint32_t number = number_of(pair, end);

    reply->driver_state = state_of(peer);
    reply->driver_generation = peer->generation;
    reply->generation = end->generation;
    reply->owned = end->owner != NOBODY;
    reply->peer_end = 1 - number;
    reply->num_dataports = (uint32_t)pair->options.num_dataports;
    reply->peer_counts = 1;
    for (size_t i = 0; i < pair->options.num_dataports; i++) {
        reply->dataports[i] = (struct crossvm_wire_dataport){
            .size = pair->options.dataports[i].size,
            .host_rights = may_write(pair, i, number) ? both : CROSSVM_RIGHT_READ,
            .guest_rights = may_write(pair, i, 1 - number) ? both : CROSSVM_RIGHT_READ,
        };
    }
}

/* A descriptor of a dataport with an end's rights, for the caller to close. */
static int open_dataport(const struct pair *pair, size_t i, uint32_t number)
{
    char path[32];

    if (may_write(pair, i, number))
        return fcntl(pair->dataports[i], F_DUPFD_CLOEXEC, 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", pair->dataports[i]);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int send_end(struct pair *pair, const struct end *end, int client, const struct crossvm_wire_reply *reply)
{
    size_t opened = CROSSVM_WIRE_FIXED_FDS, all = opened + pair->options.num_dataports;
    int fds[CROSSVM_WIRE_MAX_FDS] = {end->doorbell, peer_of(pair, end)->doorbell, end->page};
    int error = -1;

    for (; opened < all; opened++) {
        fds[opened] = open_dataport(pair, opened - CROSSVM_WIRE_FIXED_FDS, number_of(pair, end));
        if (fds[opened] < 0)
            goto cleanup;
    }
    error = cvm_descriptors_send(end->clients[client].fd, reply, sizeof(*reply), fds, opened);
cleanup:
    while (opened > CROSSVM_WIRE_FIXED_FDS)
        close(fds[--opened]);
    return error;
}

/* Makes a client the owner of the end, unless there is another. 0 or an errno value for the reply. */
static uint32_t take_end(struct pair *pair, struct end *end, int client)
{
    /* The owner may have closed its socket without our having seen it yet. */
    if (end->owner != NOBODY && end->owner != client && has_hung_up(end->clients[end->owner].fd))
        drop(pair, end, end->owner);
    if (end->owner != NOBODY)
        return EBUSY;
    end->owner = client;
    end->generation++;
    /* Before the reply: the peer learns of the program before that can touch the memory. */
    tell(pair, peer_of(pair, end));
    return 0;
}

/* 0, or -1 for a client to drop. */
static int answer(struct pair *pair, struct end *end, int client, const struct crossvm_wire_header *request)
{
    struct crossvm_wire_reply reply = {.header = *request};

    if (request->magic != CROSSVM_WIRE_MAGIC || request->version != CROSSVM_WIRE_VERSION ||
        (request->type != CROSSVM_WIRE_ATTACH && request->type != CROSSVM_WIRE_INFO))
        return -1;
    memcpy(reply.name, end->name, sizeof(reply.name));
    if (!listener_admits(&end->door.listener, end->clients[client].fd)) {
        reply.status = EACCES;
        return cvm_descriptors_send(end->clients[client].fd, &reply, sizeof(reply), NULL, 0);
    }
    if (request->type == CROSSVM_WIRE_ATTACH)
        reply.status = take_end(pair, end, client);
    describe(pair, end, &reply);
    if (request->type == CROSSVM_WIRE_ATTACH && reply.status == 0)
        return send_end(pair, end, client, &reply);
    return cvm_descriptors_send(end->clients[client].fd, &reply, sizeof(reply), NULL, 0);
}

/* A client that breaks the protocol or does not take its reply is dropped like one that left. */
static void serve_client(struct pair *pair, struct end *end, int client, short events)
{
    struct crossvm_wire_header request;
    ssize_t length;

    if (end->owner == client && end->late && events & POLLOUT)
        tell(pair, end);
    if (!(events & ~POLLOUT))
        return;
    length = recv(end->clients[client].fd, &request, sizeof(request), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    end->clients[client].asked_ms = now_ms();
    end->clients[client].turn = end->turns++;
    if (length < (ssize_t)sizeof(request) || answer(pair, end, client, &request))
        drop(pair, end, client);
}

/* A free index for a client. If all are taken, the client that was silent for longest has to go. */
static int make_room(struct pair *pair, struct end *end)
{
    int longest = NOBODY;

    for (int i = 0; i < DOOR_MAX_CLIENTS; i++) {
        if (end->clients[i].fd < 0)
            return i;
        if (i != end->owner && (longest == NOBODY || end->clients[i].turn < end->clients[longest].turn))
            longest = i;
    }
    drop(pair, end, longest);
    return longest;
}

static void welcome(struct pair *pair, struct end *end)
{
    int64_t now = now_ms();
    int fd = listener_accept(&end->door.listener, now);

    if (fd >= 0)
        end->clients[make_room(pair, end)] = (struct client){.fd = fd, .asked_ms = now, .turn = end->turns++};
    else if (errno != EAGAIN)
        message("connection \"%s\": cannot accept programs for now: %s", end->name, error_reason(errno));
}

/* When a client will have been silent for too long; for the owner, never. */
static int64_t due_ms(const struct end *end, int client)
{
    if (end->clients[client].fd < 0 || client == end->owner)
        return NEVER_MS;
    return end->clients[client].asked_ms + DOOR_SILENCE_MS;
}

/* Drops clients that have been silent for too long. Returns when to look again. */
static int64_t drop_silent(struct pair *pair, struct end *end, int64_t now)
{
    int64_t next = listener_due_ms(&end->door.listener, now);

    for (int i = 0; i < DOOR_MAX_CLIENTS; i++) {
        if (due_ms(end, i) <= now)
            drop(pair, end, i);
        next = earlier_ms(next, due_ms(end, i));
    }
    return next;
}

/* --- the loop --- */

enum { POLL_STOP, POLL_ENDS, POLL_PER_END = 1 + DOOR_MAX_CLIENTS, POLL_COUNT = POLL_ENDS + 2 * POLL_PER_END };

static void make_wishes(const struct end *end, int64_t now, struct pollfd *wishes)
{
    wishes[0] = listener_wishes(&end->door.listener, now);
    for (int i = 0; i < DOOR_MAX_CLIENTS; i++) {
        short events = end->owner == i && end->late ? POLLIN | POLLOUT : POLLIN;

        wishes[1 + i] = (struct pollfd){.fd = end->clients[i].fd, .events = events};
    }
}

static void serve_end(struct pair *pair, struct end *end, const struct pollfd *found)
{
    for (int i = 0; i < DOOR_MAX_CLIENTS; i++) {
        /* Serving one may have dropped another. */
        if (found[1 + i].revents && end->clients[i].fd == found[1 + i].fd && end->clients[i].fd >= 0)
            serve_client(pair, end, i, found[1 + i].revents);
    }
    if (found[0].revents)
        welcome(pair, end);
}

int pair_serve(struct pair *pair, int stop)
{
    for (;;) {
        struct pollfd fds[POLL_COUNT] = {{.fd = stop, .events = POLLIN}};
        int64_t now = now_ms(), next = NEVER_MS;

        for (int i = 0; i < 2; i++) {
            next = earlier_ms(next, drop_silent(pair, &pair->ends[i], now));
            make_wishes(&pair->ends[i], now, &fds[POLL_ENDS + i * POLL_PER_END]);
        }
        if (poll(fds, POLL_COUNT, poll_until_ms(next, now)) < 0) {
            if (errno == EINTR)
                continue;
            message("connection \"%s\": cannot wait for programs: %s", pair->options.name, error_reason(errno));
            return -1;
        }
        if (fds[POLL_STOP].revents)
            return 0;
        for (int i = 0; i < 2; i++)
            serve_end(pair, &pair->ends[i], &fds[POLL_ENDS + i * POLL_PER_END]);
    }
}

/* --- making --- */

/* What a machine has too little memory for will never be there. 0, or -1 after a message. */
static int check_memory(const struct pair_options *options)
{
    char asked[SIZE_TEXT_BYTES], most[SIZE_TEXT_BYTES];
    uint64_t total = 0;

    for (size_t i = 0; i < options->num_dataports; i++) {
        uint64_t size = options->dataports[i].size;

        total = size > UINT64_MAX - total ? UINT64_MAX : total + size;
    }
    if (total <= memory_most())
        return 0;
    message("connection \"%s\": its dataports take %s, and this machine has %s of memory and swap; choose smaller ones",
            options->name, size_format(asked, total), size_format(most, memory_most() >> 20 << 20));
    return -1;
}

static int check_descriptors(const struct pair_options *options)
{
    /* Of an end: listener, lock, doorbell, page, clients. Besides: standard ones, the stop, the spare one, one that
     * comes, and each dataport twice while it is handed out. */
    size_t needed = 2 * (4 + DOOR_MAX_CLIENTS) + 6 + 2 * options->num_dataports;
    char what[CROSSVM_FULL_NAME_BYTES + 16];

    (void)snprintf(what, sizeof(what), "connection \"%s\"", options->name);
    return descriptor_limit_check(what, needed);
}

static bool make_shared(struct pair *pair)
{
    const struct pair_options *options = &pair->options;

    for (int i = 0; i < 2; i++) {
        struct end *end = &pair->ends[i];

        end->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        end->page = memory_create(options->name, CROSSVM_PAGE_SIZE, F_SEAL_SEAL);
        if (end->doorbell < 0 || end->page < 0)
            return false;
    }
    for (size_t i = 0; i < options->num_dataports; i++) {
        pair->dataports[i] = memory_create(options->name, options->dataports[i].size, F_SEAL_SEAL);
        if (pair->dataports[i] < 0)
            return false;
    }
    return true;
}

static void make_empty(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        struct end *end = &pair->ends[i];

        end->door = DOOR_CLOSED;
        end->doorbell = end->page = -1;
        end->owner = NOBODY;
        for (int k = 0; k < DOOR_MAX_CLIENTS; k++)
            end->clients[k].fd = -1;
    }
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        pair->dataports[i] = -1;
}

struct pair *pair_create(const struct pair_options *options)
{
    struct pair *pair;

    if (check_memory(options) || check_descriptors(options))
        return NULL;
    pair = calloc(1, sizeof(*pair));
    if (!pair) {
        message("no memory for connection \"%s\"", options->name);
        return NULL;
    }
    pair->options = *options;
    make_empty(pair);
    if (!make_shared(pair)) {
        message("connection \"%s\": cannot make what its ends share: %s", options->name, error_reason(errno));
        goto failed;
    }
    for (int i = 0; i < 2; i++) {
        struct end *end = &pair->ends[i];

        (void)snprintf(end->name, sizeof(end->name), "%s.%d", options->name, i);
        if (door_open(&end->door, options->dir, end->name))
            goto failed;
    }
    return pair;
failed:
    pair_destroy(pair);
    return NULL;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void pair_destroy(struct pair *pair)
{
    if (!pair)
        return;
    for (int i = 0; i < 2; i++) {
        struct end *end = &pair->ends[i];

        for (int k = 0; k < DOOR_MAX_CLIENTS; k++)
            close_if_open(end->clients[k].fd);
        door_close(&end->door);
        close_if_open(end->doorbell);
        close_if_open(end->page);
    }
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        close_if_open(pair->dataports[i]);
    free(pair);
}
