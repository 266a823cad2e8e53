/* SPDX-License-Identifier: BSD-2-Clause */
#include "join.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "../common/message.h"
#include "../common/name.h"
#include "../common/peer_state.h"
#include "../common/size.h"
#include "../wire/checks.h"
#include "../wire/descriptors.h"

#define JOIN_PATIENCE_MS 60000 /* a hub sends at once, when it comes to it */

_Static_assert(CROSSVM_WIRE_JOIN_MAX_FDS <= DESCRIPTORS_MAX, "a JOIN message has more descriptors than can be sent");

/* --- the socket --- */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        message("--join: the path %s is too long for a socket", path);
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    fd = descriptor_above_standard(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    message("--join: cannot connect to %s: %s; does a hub run there, such as `crossvm run` or `crossvm hub`?", path,
            error_reason(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* The socket that an option names; -1 after a message. */
static int open_socket(const char *where)
{
    uint64_t fd = 0;

    if (strchr(where, '/'))
        return connect_to(where);
    if (number_parse(where, NULL, &fd) && fd <= INT_MAX && fcntl((int)fd, F_SETFD, FD_CLOEXEC) == 0)
        return (int)fd;
    message("--join: \"%s\" is neither the path of a socket, with a slash in it, nor the number of an open descriptor",
            where);
    return -1;
}

/* --- joining --- */

/* What is wrong with the message, as the rest of a sentence, or NULL. */
static const char *find_fault(const struct crossvm_wire_join *join, ssize_t length, size_t num_fds)
{
    if (length == 0)
        return "gave no end: another VM has it, or this user may not have it";
    if (length != (ssize_t)sizeof(*join) || !wire_header_is_of(&join->header, CROSSVM_WIRE_JOIN))
        return "sent a message of another protocol or version: use the same release of crossvm and crossvm-vm";
    if (!name_is_valid(join->name) || join->end > 1)
        return "sent no valid name or end";
    if (join->num_dataports > CROSSVM_MAX_DATAPORTS || num_fds != CROSSVM_WIRE_JOIN_FIXED_FDS + join->num_dataports)
        return "sent another number of descriptors than of dataports";
    for (size_t i = 0; i < join->num_dataports; i++) {
        if (!wire_dataport_is_valid(&join->dataports[i]))
            return "sent a dataport with an impossible size, offset or rights";
    }
    if (!wire_range_is_valid(join->own_page_offset, CROSSVM_PAGE_SIZE) ||
        !wire_range_is_valid(join->peer_page_offset, CROSSVM_PAGE_SIZE))
        return "sent a page with an impossible offset";
    return NULL;
}

/* Receives the message and its descriptors, for the caller to close. 0, or -1 after a message to the user. */
static int receive_join(int socket, const char *where, struct crossvm_wire_join *join,
                        int fds[CROSSVM_WIRE_JOIN_MAX_FDS])
{
    struct pollfd waiting = {.fd = socket, .events = POLLIN};
    size_t num_fds = 0;
    const char *fault;
    ssize_t length;
    int ready;

    ready = poll(&waiting, 1, JOIN_PATIENCE_MS);
    if (ready < 0) {
        message("--join: cannot wait for %s: %s", where, error_reason(errno));
        return -1;
    }
    if (ready == 0) {
        message("--join: nothing came from %s; it must be a socket of a hub that runs", where);
        return -1;
    }
    length = cvm_descriptors_receive(socket, join, sizeof(*join), fds, CROSSVM_WIRE_JOIN_MAX_FDS, &num_fds);
    if (length < 0 && errno != ECONNRESET) {
        message("--join: cannot receive from %s: %s", where, error_reason(errno));
        return -1;
    }
    fault = find_fault(join, length < 0 ? 0 : length, num_fds);
    if (fault)
        message("--join: the hub at %s %s", where, fault);
    return fault ? -1 : 0;
}

int join_open(struct join *join, const char *where, struct wiring *wiring, vm_t *vm)
{
    int fds[CROSSVM_WIRE_JOIN_MAX_FDS];
    struct crossvm_wire_join received;
    int error = -1;

    *join = (struct join){.source = {.fd = open_socket(where)}, .wiring = wiring};
    wiring_init(wiring);
    for (size_t i = 0; i < CROSSVM_WIRE_JOIN_MAX_FDS; i++)
        fds[i] = -1;
    if (join->source.fd >= 0)
        error = receive_join(join->source.fd, where, &received, fds);
    if (!error)
        error = wiring_create(wiring, vm, &received, fds);
    for (size_t i = 0; i < CROSSVM_WIRE_JOIN_MAX_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return error;
}

/* --- telling --- */

/*
 * Never waits. A report carries the whole state, so one that a full socket did not take is sent when the socket takes
 * it. A broken socket is noticed by who reads.
 */
static void report(struct join *join)
{
    const struct wiring *wiring = join->wiring;
    crossvm_connection_info_t info;
    kvm_vm_stats_t stats = {0};
    struct crossvm_wire_report state;
    bool was_late = join->late;

    crossvm_get_connection_info(wiring->connection, &info);
    (void)kvm_vm_get_stats(wiring->vm, &stats);
    state = (struct crossvm_wire_report){
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_REPORT},
        .driver_state = wiring->driver_state,
        .generation = wiring->driver_generation,
        .msi = info.msi_enabled,
        .vm_exits = stats.exits,
        .vm_user_exits = stats.user_exits,
    };
    join->late = send(join->source.fd, &state, sizeof(state), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
                 (errno == EAGAIN || errno == ENOBUFS);
    if (join->late != was_late)
        loop_change(wiring->loop, &join->source, join->late ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void tell_driver(struct wiring *wiring)
{
    struct join *join = wiring->owner;

    if (!join->late)
        report(join);
}

/* --- listening --- */

/* The hub has ended: nobody tells of the peer any more. */
static void lose(struct join *join)
{
    loop_unwatch(join->wiring->loop, &join->source);
    join->wiring->driver_changed = NULL;
    crossvm_set_peer_state(join->wiring->connection, CROSSVM_PEER_ABSENT);
}

static void hear_of_peer(struct join *join, const struct crossvm_wire_driver *state)
{
    if (state->driver_state == join->told.driver_state && state->generation == join->told.generation)
        return;
    /* Messages may have been left out: a new generation is a new peer, even where less of it is there than before. */
    if (state->generation != join->told.generation && state->driver_state < join->told.driver_state)
        crossvm_set_peer_state(join->wiring->connection, CROSSVM_PEER_ABSENT);
    join->told = *state;
    crossvm_set_peer_state(join->wiring->connection, peer_state_of(state->driver_state));
}

static void heard(struct source *source, uint32_t events)
{
    struct join *join = (struct join *)((char *)source - offsetof(struct join, source));
    struct crossvm_wire_driver state;
    ssize_t length;

    if (events & EPOLLOUT && join->late)
        report(join);
    if (!(events & ~(uint32_t)EPOLLOUT))
        return;
    length = recv(source->fd, &state, sizeof(state), MSG_DONTWAIT);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0)
        lose(join);
    else if (length == (ssize_t)sizeof(state) && wire_header_is_of(&state.header, CROSSVM_WIRE_DRIVER))
        hear_of_peer(join, &state);
    else if (length >= (ssize_t)sizeof(state.header) && wire_header_is_of(&state.header, CROSSVM_WIRE_INFO) &&
             !join->late)
        report(join);
}

/* --- life --- */

int join_start(struct join *join)
{
    join->source.handle = heard;
    join->wiring->owner = join;
    join->wiring->driver_changed = tell_driver;
    if (loop_watch(join->wiring->loop, &join->source, EPOLLIN) == 0)
        return 0;
    message("connection \"%s\": cannot watch its socket: %s", join->wiring->name, error_reason(errno));
    return -1;
}

void join_close(struct join *join)
{
    if (join->wiring)
        join->wiring->driver_changed = NULL;
    if (join->source.fd >= 0)
        close(join->source.fd);
    *join = JOIN_CLOSED;
}
