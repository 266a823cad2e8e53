/* SPDX-License-Identifier: BSD-2-Clause */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/message.h"
#include "../wire/descriptors.h"

/* --- making --- */

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

int link_create(struct link *link, const struct topology_connection *connection)
{
    bool made = true;

    *link = (struct link){.connection = connection};
    for (int end = 0; end < 2; end++) {
        struct link_end *at = &link->ends[end];

        at->socket = -1;
        /* Non-blocking, so that a full count stops nobody. */
        at->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        at->page = make_memory(connection->name, CROSSVM_PAGE_SIZE);
        made = made && at->doorbell >= 0 && at->page >= 0;
    }
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        link->dataports[i] = -1;
    for (size_t i = 0; i < connection->num_dataports && made; i++) {
        link->dataports[i] = make_memory(connection->name, connection->dataports[i].size);
        made = link->dataports[i] >= 0;
    }
    if (made)
        return 0;
    message("connection %s: cannot make what its ends share: %s", connection->name, strerror(errno));
    return -1;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void link_destroy(struct link *link)
{
    for (int end = 0; end < 2; end++) {
        close_if_open(link->ends[end].socket);
        close_if_open(link->ends[end].doorbell);
        close_if_open(link->ends[end].page);
    }
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        close_if_open(link->dataports[i]);
}

/* --- telling --- */

/* Tells an end what holds at the other, now or when its socket takes it. One that is broken is noticed when read. */
static void tell(struct link *link, int end)
{
    const struct link_end *other = &link->ends[1 - end];
    struct link_end *at = &link->ends[end];
    struct crossvm_wire_driver news = {
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_DRIVER},
        .driver_state = other->driver_state,
        .generation = other->generation,
    };

    if (at->socket < 0)
        return;
    at->late =
        send(at->socket, &news, sizeof(news), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == ENOBUFS);
}

/* --- coming and going --- */

static void describe(const struct link *link, int end, struct crossvm_wire_join *join)
{
    const struct topology_connection *connection = link->connection;

    *join = (struct crossvm_wire_join){
        .header = {.magic = CROSSVM_WIRE_MAGIC, .version = CROSSVM_WIRE_VERSION, .type = CROSSVM_WIRE_JOIN},
        .end = (uint32_t)end,
        .base_block_only = connection->base_block_only,
        .num_dataports = (uint32_t)connection->num_dataports,
    };
    memcpy(join->name, connection->name, strlen(connection->name));
    for (size_t i = 0; i < connection->num_dataports; i++) {
        join->dataports[i].size = connection->dataports[i].size;
        join->dataports[i].guest_rights = dataport_rights(&connection->dataports[i], (unsigned int)end);
    }
}

static int send_join(const struct link *link, int end)
{
    const struct link_end *own = &link->ends[end];
    const struct link_end *other = &link->ends[1 - end];
    int fds[CROSSVM_WIRE_JOIN_MAX_FDS] = {own->doorbell, other->doorbell, own->page, other->page};
    size_t n = link->connection->num_dataports;
    struct crossvm_wire_join join;

    memcpy(fds + CROSSVM_WIRE_JOIN_FIXED_FDS, link->dataports, n * sizeof(int));
    describe(link, end, &join);
    return descriptors_send(own->socket, &join, sizeof(join), fds, CROSSVM_WIRE_JOIN_FIXED_FDS + n);
}

int link_join(struct link *link, int end)
{
    struct link_end *at = &link->ends[end];
    int pair[2];

    link_leave(link, end);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
        message("connection %s: cannot make a socket: %s", link->connection->name, strerror(errno));
        return -1;
    }
    at->socket = pair[0];
    if (send_join(link, end)) {
        message("connection %s: cannot hand over what its ends share: %s", link->connection->name, strerror(errno));
        link_leave(link, end);
        close(pair[1]);
        return -1;
    }
    tell(link, end);
    return pair[1];
}

void link_leave(struct link *link, int end)
{
    struct link_end *at = &link->ends[end];

    if (at->socket < 0)
        return;
    close(at->socket);
    at->socket = -1;
    at->late = false;
    at->base = at->generation;
    at->driver_state = CROSSVM_DRIVER_NONE;
    tell(link, 1 - end);
}

/* --- passing on --- */

static bool is_news(const struct crossvm_wire_driver *news, ssize_t length)
{
    return length == (ssize_t)sizeof(*news) && news->header.magic == CROSSVM_WIRE_MAGIC &&
           news->header.version == CROSSVM_WIRE_VERSION && news->header.type == CROSSVM_WIRE_DRIVER;
}

static void receive(struct link *link, int end)
{
    struct link_end *at = &link->ends[end];
    struct crossvm_wire_driver news;
    ssize_t length = recv(at->socket, &news, sizeof(news), MSG_DONTWAIT);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (length <= 0) {
        link_leave(link, end);
        return;
    }
    if (!is_news(&news, length))
        return;
    at->driver_state = news.driver_state;
    at->generation = at->base + news.generation;
    tell(link, 1 - end);
}

struct pollfd link_wishes(const struct link *link, int end)
{
    const struct link_end *at = &link->ends[end];

    return (struct pollfd){.fd = at->socket, .events = (short)(at->late ? POLLIN | POLLOUT : POLLIN)};
}

void link_serve(struct link *link, int end, short events)
{
    if (link->ends[end].late && events & POLLOUT)
        tell(link, end);
    if (link->ends[end].socket >= 0 && events & ~POLLOUT)
        receive(link, end);
}
