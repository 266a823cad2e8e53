/* SPDX-License-Identifier: BSD-2-Clause */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/message.h"
#include "../wire/descriptors.h"
#include "../wire/memory.h"

/* --- making --- */

int link_create(struct link *link, const struct topology_connection *connection)
{
    bool made = true;

    *link = (struct link){.connection = connection};
    for (int i = 0; i < 2; i++) {
        struct link_end *end = &link->ends[i];

        end->socket = -1;
        end->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* a full count makes nobody wait */
        end->page = memory_create(connection->name, CROSSVM_PAGE_SIZE, F_SEAL_SEAL);
        made = made && end->doorbell >= 0 && end->page >= 0;
    }
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        link->dataports[i] = -1;
    for (size_t i = 0; i < connection->num_dataports && made; i++) {
        link->dataports[i] = memory_create(connection->name, connection->dataports[i].size, F_SEAL_SEAL);
        made = link->dataports[i] >= 0;
    }
    if (made)
        return 0;
    message("connection \"%s\": cannot make what its ends share: %s", connection->name, error_reason(errno));
    return -1;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void link_destroy(struct link *link)
{
    for (int i = 0; i < 2; i++) {
        close_if_open(link->ends[i].socket);
        close_if_open(link->ends[i].doorbell);
        close_if_open(link->ends[i].page);
    }
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        close_if_open(link->dataports[i]);
}

/* --- telling --- */

/* Tells an end's process the state of the peer's driver, now or when its socket takes it. Reading notices a broken one.
 */
static void tell(struct link *link, int number)
{
    const struct link_end *peer = &link->ends[1 - number];
    struct link_end *end = &link->ends[number];
    struct crossvm_wire_driver state = {
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_DRIVER},
        .driver_state = peer->driver_state,
        .generation = peer->generation,
    };

    if (end->socket < 0)
        return;
    end->late = send(end->socket, &state, sizeof(state), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
                (errno == EAGAIN || errno == ENOBUFS);
}

/* --- coming and going --- */

static void describe(const struct link *link, int number, struct crossvm_wire_join *join)
{
    const struct topology_connection *connection = link->connection;

    *join = (struct crossvm_wire_join){
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_JOIN},
        .end = (uint32_t)number,
        .base_block_only = connection->base_block_only,
        .num_dataports = (uint32_t)connection->num_dataports,
    };
    memcpy(join->name, connection->name, strlen(connection->name));
    for (size_t i = 0; i < connection->num_dataports; i++) {
        join->dataports[i].size = connection->dataports[i].size;
        join->dataports[i].guest_rights = dataport_rights(&connection->dataports[i], (unsigned int)number);
    }
}

static int send_join(const struct link *link, int number)
{
    const struct link_end *end = &link->ends[number];
    const struct link_end *peer = &link->ends[1 - number];
    int fds[CROSSVM_WIRE_JOIN_MAX_FDS] = {end->doorbell, peer->doorbell, end->page, peer->page};
    size_t n = link->connection->num_dataports;
    struct crossvm_wire_join join;

    memcpy(fds + CROSSVM_WIRE_JOIN_FIXED_FDS, link->dataports, n * sizeof(int));
    describe(link, number, &join);
    return cvm_descriptors_send(end->socket, &join, sizeof(join), fds, CROSSVM_WIRE_JOIN_FIXED_FDS + n);
}

int link_join(struct link *link, int number)
{
    struct link_end *end = &link->ends[number];
    int pair[2];

    link_leave(link, number);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        message("connection \"%s\": cannot make a socket: %s", link->connection->name, error_reason(errno));
        return -1;
    }
    end->socket = pair[0];
    if (send_join(link, number)) {
        message("connection \"%s\": cannot hand over what its ends share: %s", link->connection->name,
                error_reason(errno));
        link_leave(link, number);
        close(pair[1]);
        return -1;
    }
    tell(link, number);
    return pair[1];
}

void link_leave(struct link *link, int number)
{
    struct link_end *end = &link->ends[number];

    if (end->socket < 0)
        return;
    close(end->socket);
    end->socket = -1;
    end->late = false;
    end->base = end->generation;
    end->driver_state = CROSSVM_DRIVER_NONE;
    tell(link, 1 - number);
}

/* --- passing on --- */

static bool is_driver_message(const struct crossvm_wire_driver *message, ssize_t length)
{
    return length == (ssize_t)sizeof(*message) && message->header.magic == CROSSVM_WIRE_MAGIC &&
           message->header.version == CROSSVM_WIRE_VERSION && message->header.type == CROSSVM_WIRE_DRIVER;
}

static void receive(struct link *link, int number)
{
    struct link_end *end = &link->ends[number];
    struct crossvm_wire_driver state;
    ssize_t length = recv(end->socket, &state, sizeof(state), MSG_DONTWAIT);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        link_leave(link, number);
        return;
    }
    if (!is_driver_message(&state, length))
        return;
    end->driver_state = state.driver_state;
    end->generation = end->base + state.generation;
    tell(link, 1 - number);
}

struct pollfd link_wishes(const struct link *link, int number)
{
    const struct link_end *end = &link->ends[number];

    return (struct pollfd){.fd = end->socket, .events = (short)(end->late ? POLLIN | POLLOUT : POLLIN)};
}

void link_serve(struct link *link, int number, short events)
{
    if (link->ends[number].late && events & POLLOUT)
        tell(link, number);
    if (link->ends[number].socket >= 0 && events & ~POLLOUT)
        receive(link, number);
}
