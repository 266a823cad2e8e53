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
#include "../wire/descriptors.h"

#define JOIN_PATIENCE_MS 10000

_Static_assert(CROSSVM_WIRE_JOIN_MAX_FDS <= DESCRIPTORS_MAX, "a JOIN message has more descriptors than can be sent");

/* --- joining --- */

static bool header_is_valid(const struct crossvm_wire_header *header, uint16_t type)
{
    return header->magic == CROSSVM_WIRE_MAGIC && header->version == CROSSVM_WIRE_VERSION && header->type == type;
}

/* What is wrong with the message, or NULL. */
static const char *find_fault(const struct crossvm_wire_join *join, ssize_t length, size_t num_fds)
{
    if (length != (ssize_t)sizeof(*join) || !header_is_valid(&join->header, CROSSVM_WIRE_JOIN))
        return "is of another protocol or version";
    if (strnlen(join->name, sizeof(join->name)) == sizeof(join->name) || join->end > 1)
        return "has no name or no end";
    if (join->num_dataports > CROSSVM_MAX_DATAPORTS || num_fds != CROSSVM_WIRE_JOIN_FIXED_FDS + join->num_dataports)
        return "has another number of descriptors than of dataports";
    for (size_t i = 0; i < join->num_dataports; i++) {
        if (join->dataports[i].size == 0 || join->dataports[i].size % CROSSVM_PAGE_SIZE)
            return "has a dataport of an impossible size";
    }
    return NULL;
}

int sibling_join(struct sibling *sibling, int socket, struct wiring *wiring, vm_t *vm)
{
    struct pollfd waiting = {.fd = socket, .events = POLLIN};
    struct crossvm_wire_join join;
    int fds[CROSSVM_WIRE_JOIN_MAX_FDS];
    size_t num_fds = 0;
    const char *fault;
    ssize_t length;
    int error = -1;

    *sibling = (struct sibling){.source = {.fd = socket}, .wiring = wiring};
    sibling->report.source = &sibling->source;
    wiring_init(wiring);
    if (poll(&waiting, 1, JOIN_PATIENCE_MS) != 1) {
        message("nothing comes from descriptor %d, which --join names: `crossvm run` gives such a descriptor", socket);
        return -1;
    }
    length = descriptors_receive(socket, &join, sizeof(join), fds, CROSSVM_WIRE_JOIN_MAX_FDS, &num_fds);
    fault = length < 0 ? strerror(errno) : find_fault(&join, length, num_fds);
    if (fault)
        message(
            "the message from descriptor %d, which --join names, %s; use the same release of crossvm and crossvm-vm",
            socket, fault);
    else
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

/* The process that started us is gone, and with it any word of the peer. */
static void lose(struct sibling *sibling)
{
    loop_unwatch(sibling->wiring->loop, &sibling->source);
    sibling->wiring->driver_changed = NULL;
    crossvm_set_peer_state(sibling->wiring->connection, CROSSVM_PEER_ABSENT);
}

static void heard(struct source *source, uint32_t events)
{
    struct sibling *sibling = (struct sibling *)((char *)source - offsetof(struct sibling, source));
    struct crossvm_wire_driver news;
    ssize_t length;

    if (events & EPOLLOUT)
        report_writable(&sibling->report, sibling->wiring);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    length = recv(source->fd, &news, sizeof(news), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        lose(sibling);
        return;
    }
    if (length != (ssize_t)sizeof(news) || !header_is_valid(&news.header, CROSSVM_WIRE_DRIVER))
        return;
    if (news.driver_state == sibling->told.driver_state && news.generation == sibling->told.generation)
        return;
    /* News in between may be left out: who is there now is another, even where less is there than before. */
    if (news.generation != sibling->told.generation && news.driver_state < sibling->told.driver_state)
        crossvm_set_peer_state(sibling->wiring->connection, CROSSVM_PEER_ABSENT);
    sibling->told = news;
    crossvm_set_peer_state(sibling->wiring->connection, peer_state_of(news.driver_state));
}

/* --- life --- */

int sibling_start(struct sibling *sibling)
{
    sibling->source.handle = heard;
    sibling->wiring->owner = sibling;
    sibling->wiring->driver_changed = tell_driver;
    if (loop_watch(sibling->wiring->loop, &sibling->source, EPOLLIN) == 0)
        return 0;
    message("connection %s: cannot watch its socket: %s", sibling->wiring->name, strerror(errno));
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
