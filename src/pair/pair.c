/* SPDX-License-Identifier: BSD-2-Clause */
#include "pair.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/message.h"
#include "../wire/descriptors.h"
#include "../wire/hang_up.h"
#include "../wire/wire.h"
#include "door.h"

#define MAX_CLIENTS 16 /* an end; more are turned away, so that nobody can use up our descriptors */
#define NOBODY (-1)

/* One of the two ends. */
struct place {
    char name[CROSSVM_FULL_NAME_BYTES];
    struct door door;
    int doorbell; /* eventfd that the other end's program signals */
    int page;     /* memfd in which this end's program counts its events */
    int clients[MAX_CLIENTS];
    int owner;           /* index of the client that has the end, or NOBODY */
    uint32_t generation; /* counts owners */
    bool late;           /* the owner's socket was full when there was something to tell */
};

struct pair {
    struct pair_options options;
    struct place places[2];
    int dataports[CROSSVM_MAX_DATAPORTS];
    int spare; /* a descriptor to give up when there are no others */
};

static struct place *other_of(struct pair *pair, const struct place *place)
{
    return &pair->places[place == &pair->places[0]];
}

static uint32_t number_of(const struct pair *pair, const struct place *place)
{
    return place == &pair->places[1];
}

static bool may_write(const struct pair *pair, size_t dataport, uint32_t end)
{
    return dataport_rights(&pair->options.dataports[dataport], end) & CROSSVM_RIGHT_WRITE;
}

/* --- news --- */

/* Tells the owner of an end who is at the other, now or when its socket takes it. */
static void tell(struct pair *pair, struct place *place)
{
    const struct place *other = other_of(pair, place);
    struct crossvm_wire_driver news = {
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_DRIVER},
        .driver_state = other->owner == NOBODY ? CROSSVM_DRIVER_NONE : CROSSVM_DRIVER_OPEN,
        .generation = other->generation,
    };

    if (place->owner == NOBODY)
        return;
    place->late = descriptors_send(place->clients[place->owner], &news, sizeof(news), NULL, 0) != 0 &&
                  (errno == EAGAIN || errno == ENOBUFS);
}

/* --- clients --- */

static void drop(struct pair *pair, struct place *place, int client)
{
    close(place->clients[client]);
    place->clients[client] = -1;
    if (place->owner != client)
        return;
    place->owner = NOBODY;
    place->late = false;
    tell(pair, other_of(pair, place));
}

static void describe(struct pair *pair, const struct place *place, uint16_t type, uint32_t status,
                     struct crossvm_wire_reply *reply)
{
    const struct place *other = other_of(pair, place);
    const uint32_t both = CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE;
    uint32_t end = number_of(pair, place);

    *reply = (struct crossvm_wire_reply){
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = type},
        .status = status,
        .driver_state = other->owner == NOBODY ? CROSSVM_DRIVER_NONE : CROSSVM_DRIVER_OPEN,
        .driver_generation = other->generation,
        .generation = place->generation,
        .owned = place->owner != NOBODY,
        .other_end = 1 - end,
        .num_dataports = (uint32_t)pair->options.num_dataports,
        .peer_counts = 1,
    };
    memcpy(reply->name, place->name, sizeof(reply->name));
    (void)snprintf(reply->vm, sizeof(reply->vm), "pair");
    for (size_t i = 0; i < pair->options.num_dataports; i++) {
        reply->dataports[i] = (struct crossvm_wire_dataport){
            .size = pair->options.dataports[i].size,
            .host_rights = may_write(pair, i, end) ? both : CROSSVM_RIGHT_READ,
            .guest_rights = may_write(pair, i, 1 - end) ? both : CROSSVM_RIGHT_READ,
        };
    }
}

/* A descriptor of a dataport with an end's rights, for the caller to close. */
static int open_dataport(const struct pair *pair, size_t i, uint32_t end)
{
    char path[32];

    if (may_write(pair, i, end))
        return fcntl(pair->dataports[i], F_DUPFD_CLOEXEC, 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", pair->dataports[i]);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int send_end(struct pair *pair, const struct place *place, int client, const struct crossvm_wire_reply *reply)
{
    size_t opened = CROSSVM_WIRE_FIXED_FDS, all = opened + pair->options.num_dataports;
    int fds[CROSSVM_WIRE_MAX_FDS] = {place->doorbell, other_of(pair, place)->doorbell, place->page};
    int error = -1;

    for (; opened < all; opened++) {
        fds[opened] = open_dataport(pair, opened - CROSSVM_WIRE_FIXED_FDS, number_of(pair, place));
        if (fds[opened] < 0)
            goto cleanup;
    }
    error = descriptors_send(place->clients[client], reply, sizeof(*reply), fds, opened);
cleanup:
    while (opened > CROSSVM_WIRE_FIXED_FDS)
        close(fds[--opened]);
    return error;
}

static int attach(struct pair *pair, struct place *place, int client)
{
    struct crossvm_wire_reply reply;

    /* The owner may have gone without our having come to its socket yet. */
    if (place->owner != NOBODY && place->owner != client && has_hung_up(place->clients[place->owner]))
        drop(pair, place, place->owner);
    if (place->owner != NOBODY) {
        describe(pair, place, CROSSVM_WIRE_ATTACH, EBUSY, &reply);
        return descriptors_send(place->clients[client], &reply, sizeof(reply), NULL, 0);
    }
    place->owner = client;
    place->generation++;
    /* Before the reply: a program is known to be there before it can touch the memory. */
    tell(pair, other_of(pair, place));
    describe(pair, place, CROSSVM_WIRE_ATTACH, 0, &reply);
    return send_end(pair, place, client, &reply); /* a failure drops the client */
}

static int answer(struct pair *pair, struct place *place, int client, const struct crossvm_wire_header *request)
{
    struct crossvm_wire_reply reply;

    if (request->magic != CROSSVM_WIRE_MAGIC || request->version != CROSSVM_WIRE_VERSION)
        return -1;
    switch (request->type) {
    case CROSSVM_WIRE_ATTACH:
        return attach(pair, place, client);
    case CROSSVM_WIRE_INFO:
        describe(pair, place, CROSSVM_WIRE_INFO, 0, &reply);
        return descriptors_send(place->clients[client], &reply, sizeof(reply), NULL, 0);
    default:
        return -1;
    }
}

/* A client that breaks the protocol or does not take its reply is dropped like one that left. */
static void serve_client(struct pair *pair, struct place *place, int client, short events)
{
    struct crossvm_wire_header request;
    ssize_t length;

    if (place->owner == client && place->late && events & POLLOUT)
        tell(pair, place);
    if (!(events & ~POLLOUT))
        return;
    length = recv(place->clients[client], &request, sizeof(request), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length < (ssize_t)sizeof(request) || answer(pair, place, client, &request))
        drop(pair, place, client);
}

/* Out of descriptors: a program that stays in the queue would keep us busy for ever. */
static void turn_away(struct pair *pair, int listener)
{
    close(pair->spare);
    close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    pair->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void welcome(struct pair *pair, struct place *place)
{
    int fd = accept4(place->door.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            turn_away(pair, place->door.listener);
        return;
    }
    for (int i = 0; i < MAX_CLIENTS; i++) {
        if (place->clients[i] < 0) {
            place->clients[i] = fd;
            return;
        }
    }
    close(fd);
}

/* --- the loop --- */

enum { POLL_STOP, POLL_PLACES, POLL_PER_PLACE = 1 + MAX_CLIENTS, POLL_COUNT = POLL_PLACES + 2 * POLL_PER_PLACE };

static void make_wishes(const struct place *place, struct pollfd *wishes)
{
    wishes[0] = (struct pollfd){.fd = place->door.listener, .events = POLLIN};
    for (int i = 0; i < MAX_CLIENTS; i++) {
        short events = place->owner == i && place->late ? POLLIN | POLLOUT : POLLIN;

        wishes[1 + i] = (struct pollfd){.fd = place->clients[i], .events = events};
    }
}

static void serve_place(struct pair *pair, struct place *place, const struct pollfd *found)
{
    for (int i = 0; i < MAX_CLIENTS; i++) {
        /* Serving one may have dropped another. */
        if (found[1 + i].revents && place->clients[i] == found[1 + i].fd && place->clients[i] >= 0)
            serve_client(pair, place, i, found[1 + i].revents);
    }
    if (found[0].revents)
        welcome(pair, place);
}

int pair_serve(struct pair *pair, int stop)
{
    for (;;) {
        struct pollfd fds[POLL_COUNT] = {{.fd = stop, .events = POLLIN}};

        for (int end = 0; end < 2; end++)
            make_wishes(&pair->places[end], &fds[POLL_PLACES + end * POLL_PER_PLACE]);
        if (poll(fds, POLL_COUNT, -1) < 0) {
            if (errno == EINTR)
                continue;
            message("connection \"%s\": cannot wait for programs: %s", pair->options.name, strerror(errno));
            return -1;
        }
        if (fds[POLL_STOP].revents)
            return 0;
        for (int end = 0; end < 2; end++)
            serve_place(pair, &pair->places[end], &fds[POLL_PLACES + end * POLL_PER_PLACE]);
    }
}

/* --- making --- */

/* Sealed, so that nobody can shrink it under another's mapping. */
static int make_memory(const char *name, uint64_t size)
{
    int memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (memfd < 0)
        return -1;
    if (ftruncate(memfd, (off_t)size) == 0 && fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return memfd;
    close(memfd);
    return -1;
}

static bool make_shared(struct pair *pair)
{
    const struct pair_options *options = &pair->options;

    for (int end = 0; end < 2; end++) {
        struct place *place = &pair->places[end];

        place->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        place->page = make_memory(options->name, CROSSVM_PAGE_SIZE);
        if (place->doorbell < 0 || place->page < 0)
            return false;
    }
    for (size_t i = 0; i < options->num_dataports; i++) {
        pair->dataports[i] = make_memory(options->name, options->dataports[i].size);
        if (pair->dataports[i] < 0)
            return false;
    }
    pair->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return true;
}

static void make_empty(struct pair *pair)
{
    for (int end = 0; end < 2; end++) {
        struct place *place = &pair->places[end];

        place->door = (struct door){.listener = -1, .lock = -1};
        place->doorbell = place->page = -1;
        place->owner = NOBODY;
        for (int i = 0; i < MAX_CLIENTS; i++)
            place->clients[i] = -1;
    }
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        pair->dataports[i] = -1;
    pair->spare = -1;
}

struct pair *pair_create(const struct pair_options *options)
{
    struct pair *pair = calloc(1, sizeof(*pair));

    if (!pair) {
        message("no memory for connection \"%s\"", options->name);
        return NULL;
    }
    pair->options = *options;
    make_empty(pair);
    if (!make_shared(pair)) {
        message("connection \"%s\": cannot make what its ends share: %s", options->name, strerror(errno));
        goto failed;
    }
    for (int end = 0; end < 2; end++) {
        struct place *place = &pair->places[end];

        (void)snprintf(place->name, sizeof(place->name), "%s.%d", options->name, end);
        if (door_open(&place->door, options->dir, place->name))
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
    for (int end = 0; end < 2; end++) {
        struct place *place = &pair->places[end];

        for (int i = 0; i < MAX_CLIENTS; i++)
            close_if_open(place->clients[i]);
        door_close(&place->door);
        close_if_open(place->doorbell);
        close_if_open(place->page);
    }
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        close_if_open(pair->dataports[i]);
    close_if_open(pair->spare);
    free(pair);
}
