/* SPDX-License-Identifier: BSD-2-Clause */
#include "sibling.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/message.h"
#include "../common/name.h"
#include "../wire/descriptors.h"

#define JOIN_PATIENCE_MS 10000 /* `crossvm run` sends before it starts this process */

_Static_assert(CROSSVM_WIRE_JOIN_MAX_FDS <= DESCRIPTORS_MAX, "a JOIN message has more descriptors than can be sent");

/* --- joining --- */

static bool header_is_valid(const struct crossvm_wire_header *header, uint16_t type)
{
    return header->magic == CROSSVM_WIRE_MAGIC && header->version == CROSSVM_WIRE_VERSION && header->type == type;
}

static bool rights_are_valid(uint32_t rights)
{
    return rights == CROSSVM_RIGHT_READ || rights == (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE);
}

/* Whether so many bytes can lie there in a memfd. */
static bool place_is_valid(uint64_t offset, uint64_t size)
{
    return size <= INT64_MAX && offset % CROSSVM_PAGE_SIZE == 0 && offset <= INT64_MAX - size;
}

/* What is wrong with the message, as the rest of a sentence, or NULL. */
static const char *find_fault(const struct crossvm_wire_join *join, ssize_t length, size_t num_fds)
{
    if (length != (ssize_t)sizeof(*join) || !header_is_valid(&join->header, CROSSVM_WIRE_JOIN))
        return "is of another protocol or version";
    if (!name_is_valid(join->name) || join->end > 1)
        return "has no valid name or end";
    if (join->num_dataports > CROSSVM_MAX_DATAPORTS || num_fds != CROSSVM_WIRE_JOIN_FIXED_FDS + join->num_dataports)
        return "has another number of descriptors than of dataports";
    for (size_t i = 0; i < join->num_dataports; i++) {
        if (join->dataports[i].size == 0 || join->dataports[i].size % CROSSVM_PAGE_SIZE ||
            !place_is_valid(join->dataports[i].offset, join->dataports[i].size) ||
            !rights_are_valid(join->dataports[i].guest_rights))
            return "has a dataport with an impossible size, offset or rights";
    }
    if (!place_is_valid(join->own_page_offset, CROSSVM_PAGE_SIZE) ||
        !place_is_valid(join->peer_page_offset, CROSSVM_PAGE_SIZE))
        return "has a page with an impossible offset";
    return NULL;
}

/* Receives the message and its descriptors, for the caller to close. 0, or -1 after a message to the user. */
static int receive_join(int socket, struct crossvm_wire_join *join, int fds[CROSSVM_WIRE_JOIN_MAX_FDS])
{
    struct pollfd waiting = {.fd = socket, .events = POLLIN};
    size_t num_fds = 0;
    const char *fault;
    ssize_t length;

    for (size_t i = 0; i < CROSSVM_WIRE_JOIN_MAX_FDS; i++)
        fds[i] = -1;
    if (poll(&waiting, 1, JOIN_PATIENCE_MS) == 0) {
        message("nothing came from descriptor %d, which --join names; it must be a socket of `crossvm run`", socket);
        return -1;
    }
    length = cvm_descriptors_receive(socket, join, sizeof(*join), fds, CROSSVM_WIRE_JOIN_MAX_FDS, &num_fds);
    if (length < 0) {
        message("cannot receive from descriptor %d, which --join names: %s", socket, error_reason(errno));
        return -1;
    }
    fault = find_fault(join, length, num_fds);
    if (fault)
        message(
            "the message from descriptor %d, which --join names, %s; use the same release of crossvm and crossvm-vm",
            socket, fault);
    return fault ? -1 : 0;
}

int sibling_join(struct sibling *sibling, int socket, struct wiring *wiring, vm_t *vm)
{
    int fds[CROSSVM_WIRE_JOIN_MAX_FDS];
    struct crossvm_wire_join join;
    int error;

    *sibling = (struct sibling){.source = {.fd = socket}, .wiring = wiring};
    sibling->report.source = &sibling->source;
    wiring_init(wiring);
    error = receive_join(socket, &join, fds);
    if (!error)
        error = wiring_join(wiring, vm, &join, fds);
    for (size_t i = 0; i < CROSSVM_WIRE_JOIN_MAX_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return error;
}

/* --- telling --- */

static void tell_driver(struct wiring *wiring)
{
    struct sibling *sibling = wiring->owner;

    report_send(&sibling->report, wiring);
}

/* --- listening --- */

static uint32_t peer_state_of(uint32_t driver_state)
{
    switch (driver_state) {
    case CROSSVM_DRIVER_NONE:
        return CROSSVM_PEER_ABSENT;
    case CROSSVM_DRIVER_BOUND:
        return CROSSVM_PEER_PRESENT;
    default:
        return CROSSVM_PEER_READY;
    }
}

/* `crossvm run` has ended: nobody tells of the peer any more. */
static void lose(struct sibling *sibling)
{
    loop_unwatch(sibling->wiring->loop, &sibling->source);
    sibling->wiring->driver_changed = NULL;
    crossvm_set_peer_state(sibling->wiring->connection, CROSSVM_PEER_ABSENT);
}

static void heard(struct source *source, uint32_t events)
{
    struct sibling *sibling = (struct sibling *)((char *)source - offsetof(struct sibling, source));
    struct crossvm_wire_driver state;
    ssize_t length;

    if (events & EPOLLOUT)
        report_writable(&sibling->report, sibling->wiring);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    length = recv(source->fd, &state, sizeof(state), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        lose(sibling);
        return;
    }
    if (length != (ssize_t)sizeof(state) || !header_is_valid(&state.header, CROSSVM_WIRE_DRIVER))
        return;
    if (state.driver_state == sibling->told.driver_state && state.generation == sibling->told.generation)
        return;
    /* Messages may have been left out: a new generation is a new peer, even where less of it is there than before. */
    if (state.generation != sibling->told.generation && state.driver_state < sibling->told.driver_state)
        crossvm_set_peer_state(sibling->wiring->connection, CROSSVM_PEER_ABSENT);
    sibling->told = state;
    crossvm_set_peer_state(sibling->wiring->connection, peer_state_of(state.driver_state));
}

/* --- life --- */

int sibling_start(struct sibling *sibling)
{
    sibling->source.handle = heard;
    sibling->wiring->owner = sibling;
    sibling->wiring->driver_changed = tell_driver;
    if (loop_watch(sibling->wiring->loop, &sibling->source, EPOLLIN) == 0)
        return 0;
    message("connection \"%s\": cannot watch its socket: %s", sibling->wiring->name, error_reason(errno));
    return -1;
}

void sibling_destroy(struct sibling *sibling)
{
    if (sibling->wiring)
        sibling->wiring->driver_changed = NULL;
    if (sibling->wiring && sibling->source.fd >= 0)
        close(sibling->source.fd);
    sibling->wiring = NULL;
}
