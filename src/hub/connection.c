/* SPDX-License-Identifier: BSD-2-Clause */
#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/message.h"
#include "../common/read_nowait.h"
#include "../common/shared_event.h"
#include "../wire/memory.h"

struct hub_connection {
    struct hub_loop *loop;
    char name[CROSSVM_FULL_NAME_BYTES];
    struct dataport_spec specs[CROSSVM_MAX_DATAPORTS];
    struct hub_memory dataports[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports;
    struct region region; /* without one, each memory has a memfd of its own */
    bool base_block_only;
    struct hub_end ends[2];
    struct hub_observer *observer; /* or NULL */
};

/* --- what an end has --- */

const char *hub_end_name(const struct hub_end *end)
{
    return end->connection->name;
}

struct hub_loop *hub_end_loop(const struct hub_end *end)
{
    return end->connection->loop;
}

size_t hub_end_num_dataports(const struct hub_end *end)
{
    return end->connection->num_dataports;
}

uint32_t hub_end_rights(const struct hub_end *end, size_t dataport)
{
    return dataport_rights(&end->connection->specs[dataport], end->number);
}

uint64_t hub_end_dataport_size(const struct hub_end *end, size_t dataport)
{
    return end->connection->specs[dataport].size;
}

const struct region *hub_end_region(const struct hub_end *end)
{
    const struct region *region = &end->connection->region;

    return region->memfd < 0 ? NULL : region;
}

struct hub_memory hub_end_dataport(const struct hub_end *end, size_t dataport)
{
    return end->connection->dataports[dataport];
}

int hub_end_dataport_fd(const struct hub_end *end, size_t dataport)
{
    const struct hub_connection *connection = end->connection;

    return hub_end_rights(end, dataport) & CROSSVM_RIGHT_WRITE ? connection->dataports[dataport].memfd
                                                               : connection->dataports[dataport].read_only;
}

bool hub_end_base_block_only(const struct hub_end *end)
{
    return end->connection->base_block_only;
}

/* --- who is there --- */

static void tell_observer(const struct hub_end *end)
{
    if (end->connection->observer)
        end->connection->observer->changed(end->connection->observer);
}

static void tell(struct hub_end *end)
{
    if (end->occupant)
        end->occupant->peer_changed(end->occupant);
}

void hub_end_set_state(struct hub_end *end, uint32_t state)
{
    hub_end_set_state_after(end, state, state != CROSSVM_DRIVER_NONE && state >= end->state);
}

void hub_end_set_state_after(struct hub_end *end, uint32_t state, uint32_t came)
{
    if (came == 0 && state == end->state)
        return;
    end->generation += came;
    end->state = state;
    tell(end->peer);
    tell_observer(end);
}

void hub_end_report(struct hub_end *end, const struct hub_report *report)
{
    struct hub_asker *asker = end->asker;

    end->report = *report;
    end->asker = NULL;
    if (asker)
        asker->answered(asker);
    if (end->connection->observer)
        end->connection->observer->reported(end->connection->observer, end->number);
}

bool hub_end_ask(struct hub_end *end, struct hub_asker *asker)
{
    if (!end->occupant || !end->occupant->ask)
        return false;
    if (asker)
        end->asker = asker;
    end->occupant->ask(end->occupant);
    return true;
}

void hub_end_ask_no_more(struct hub_end *end)
{
    end->asker = NULL;
}

int hub_end_take(struct hub_end *end, struct hub_occupant *occupant)
{
    if (end->occupant)
        return -EBUSY;
    if (occupant->woken && hub_loop_watch(end->connection->loop, &end->doorbell, EPOLLIN))
        return -errno;
    end->occupant = occupant;
    tell_observer(end);
    return 0;
}

void hub_end_leave(struct hub_end *end)
{
    if (!end->occupant)
        return;
    if (end->occupant->woken)
        hub_loop_unwatch(end->connection->loop, &end->doorbell);
    end->occupant = NULL;
    hub_end_set_state(end, CROSSVM_DRIVER_NONE);
    hub_end_report(end, &(struct hub_report){.msi = false});
}

/* --- events --- */

void hub_end_emit(struct hub_end *end, uint64_t events)
{
    /* Orders the occupant's memory accesses before the count. Pairs with the acquire of a peer that loads PEER_SEQ, and
     * with the fence in cvmm_event_page_count() behind hub_end_peer_count(). */
    (void)__atomic_fetch_add(end->count, events, __ATOMIC_RELEASE);
    if (end->peer->occupant && end->peer->occupant->woken)
        end->peer->occupant->woken(end->peer->occupant);
    else
        (void)shared_event_signal(end->peer->doorbell.fd, events); /* a full count has a signal waiting */
}

/*
 * Takes the count of the doorbell, so that it polls readable no more. A program at the other end shares the descriptor
 * and may have emptied it and cleared O_NONBLOCK since it polled readable.
 */
static void doorbell_signalled(struct hub_source *source, uint32_t events)
{
    struct hub_end *end = (struct hub_end *)((char *)source - offsetof(struct hub_end, doorbell));
    uint64_t count;

    (void)events;
    (void)read_nowait(source->fd, &count, sizeof(count));
    end->occupant->woken(end->occupant);
}

/* --- life --- */

static bool make_end(struct hub_connection *connection, unsigned int number)
{
    struct hub_end *end = &connection->ends[number];

    /* Non-blocking, so that a full count stops no program. */
    end->doorbell.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (end->doorbell.fd < 0)
        return false;
    end->count = memory_map(end->page.memfd, end->page.offset, CROSSVM_PAGE_SIZE);
    return end->count != NULL;
}

#define NO_MEMORY ((struct hub_memory){.memfd = -1, .read_only = -1})

/* Makes one, and opens it for reading only, for observers and for an end without the right to write. */
static bool make_memory(const struct hub_connection *connection, struct hub_memory *memory, uint64_t size)
{
    memory->memfd = memory_create(connection->name, size, F_SEAL_SEAL);
    if (memory->memfd < 0)
        return false;
    memory->read_only = memory_open_read_only(memory->memfd);
    return memory->read_only >= 0;
}

/* Makes a memory for each. */
static bool make_memories(struct hub_connection *connection)
{
    for (size_t i = 0; i < connection->num_dataports; i++) {
        if (!make_memory(connection, &connection->dataports[i], connection->specs[i].size))
            return false;
    }
    return make_memory(connection, &connection->ends[0].page, CROSSVM_PAGE_SIZE) &&
           make_memory(connection, &connection->ends[1].page, CROSSVM_PAGE_SIZE);
}

/* Makes one memory for all. */
static bool make_region(struct hub_connection *connection)
{
    struct region *region = &connection->region;

    if (region_create(region, connection->name, connection->specs, connection->num_dataports))
        return false;
    for (size_t i = 0; i < connection->num_dataports; i++)
        connection->dataports[i] = (struct hub_memory){region->memfd, region->offsets[i], region->read_only};
    for (unsigned int i = 0; i < 2; i++)
        connection->ends[i].page = (struct hub_memory){region->memfd, CROSSVM_REGION_COUNT_PAGE(i), region->read_only};
    return true;
}

static bool make_shared(struct hub_connection *connection, bool in_region)
{
    if (shared_event_prepare() || !(in_region ? make_region(connection) : make_memories(connection)))
        return false;
    return make_end(connection, 0) && make_end(connection, 1);
}

static bool over_ivshmem(const struct hub_connection_config *config)
{
    return config->ends[0].door == CROSSVM_DOOR_IVSHMEM || config->ends[1].door == CROSSVM_DOOR_IVSHMEM;
}

/* A VMM maps the whole region for writing, and so does its guest. 0, or -1 after a message. */
static int check_writers(const struct hub_connection_config *config)
{
    for (size_t i = 0; over_ivshmem(config) && i < config->num_dataports; i++) {
        if (config->dataports[i].writer == WRITER_BOTH)
            continue;
        message("connection \"%s\": dataport %zu is to be written by end %d alone, but over ivshmem both ends can "
                "write all memory: leave its writer out, or take the ends by another door than ivshmem",
                config->name, i, config->dataports[i].writer);
        return -1;
    }
    return 0;
}

/* A region has parts of 4 KiB that are mapped alone. 0, or -1 after a message. */
static int check_pages(const struct hub_connection_config *config)
{
    long page_size = sysconf(_SC_PAGESIZE);

    if (!over_ivshmem(config) || page_size <= CROSSVM_PAGE_SIZE)
        return 0;
    message(
        "connection \"%s\": ivshmem shares memory in pages of %d KiB, and this machine's have %ld KiB: take the ends "
        "by another door, such as vfio-user",
        config->name, CROSSVM_PAGE_SIZE / 1024, page_size / 1024);
    return -1;
}

struct hub_connection *hub_connection_create(struct hub_loop *loop, const struct hub_connection_config *config)
{
    struct hub_connection *connection;

    if (check_writers(config) || check_pages(config))
        return NULL;
    connection = calloc(1, sizeof(*connection));
    if (!connection) {
        message("no memory for connection \"%s\"", config->name);
        return NULL;
    }
    connection->loop = loop;
    memcpy(connection->name, config->name, strlen(config->name));
    memcpy(connection->specs, config->dataports, sizeof(connection->specs));
    connection->num_dataports = config->num_dataports;
    connection->region = REGION_NONE;
    connection->base_block_only = config->base_block_only;
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        connection->dataports[i] = NO_MEMORY;
    for (unsigned int i = 0; i < 2; i++) {
        const char *vm = config->ends[i].vm;

        connection->ends[i] = (struct hub_end){.connection = connection,
                                               .peer = &connection->ends[1 - i],
                                               .number = i,
                                               .door = config->ends[i].door,
                                               .doorbell = {.fd = -1, .handle = doorbell_signalled},
                                               .page = NO_MEMORY};
        (void)snprintf(connection->ends[i].vm, sizeof(connection->ends[i].vm), "%s", vm ? vm : "");
    }
    if (make_shared(connection, over_ivshmem(config)))
        return connection;
    message("connection \"%s\": cannot make what its ends share: %s", connection->name, shared_event_reason(errno));
    hub_connection_destroy(connection);
    return NULL;
}

struct hub_end *hub_connection_end(struct hub_connection *connection, unsigned int number)
{
    return &connection->ends[number];
}

void hub_connection_observe(struct hub_connection *connection, struct hub_observer *observer)
{
    connection->observer = observer;
}

void hub_connection_hang_up(struct hub_connection *connection)
{
    for (size_t i = 0; i < 2; i++)
        hub_end_set_state(&connection->ends[i], CROSSVM_DRIVER_NONE);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void close_memory(const struct hub_connection *connection, const struct hub_memory *memory)
{
    if (connection->region.memfd >= 0) /* that of all */
        return;
    close_if_open(memory->memfd);
    close_if_open(memory->read_only);
}

void hub_connection_destroy(struct hub_connection *connection)
{
    if (!connection)
        return;
    for (size_t i = 0; i < 2; i++) {
        struct hub_end *end = &connection->ends[i];

        if (end->count)
            munmap((void *)end->count, CROSSVM_PAGE_SIZE);
        close_if_open(end->doorbell.fd);
        close_memory(connection, &end->page);
    }
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++)
        close_memory(connection, &connection->dataports[i]);
    region_destroy(&connection->region);
    free(connection);
}
