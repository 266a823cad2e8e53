/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An end on the host.
 *
 * The hub hands over memory and eventfds, and is in no path after that: an emit counts in the peer page and signals one
 * eventfd, and a wait reads the other. The socket stays open. It is the sign that this program owns the end, and it
 * brings news of the peer and of the end of the hub.
 */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "../common/error_reason.h"
#include "../common/peer_state.h"
#include "../common/read_nowait.h"
#include "../wire/received_memory.h"
#include "deadline.h"
#include "end.h"
#include "error.h"
#include "wire_client.h"

#define OPEN_TIMEOUT_MS 5000
#define LOOK_TIMEOUT_MS 1000

/* Order of the descriptors that an answer to ATTACH carries. */
enum { FD_OWN_DOORBELL, FD_PEER_DOORBELL, FD_PEER_PAGE, FD_DATAPORTS };

struct host_end {
    struct crossvm_end end; /* end.fd is an epoll of the socket and own_doorbell */
    char *path;
    int socket;
    int own_doorbell;    /* eventfd: counts events of the peer */
    int peer_doorbell;   /* eventfd: signals the peer */
    uint64_t *peer_page; /* mapped; its first word is the peer's PEER_SEQ */
    struct wire_driver driver;
    bool gone;       /* the hub ended; atomic, for crossvm_emit() in other threads */
    uint64_t events; /* read from own_doorbell so far */
    uint64_t told;   /* of these, returned by crossvm_wait() */
};

_Static_assert(CROSSVM_REG_PEER_SEQ == CROSSVM_PEER_PAGE, "PEER_SEQ is the first word of the peer page");

static struct host_end *host_of(struct crossvm_end *end)
{
    return (struct host_end *)end;
}

/* --- waiting --- */

static int server_is_gone(struct host_end *host)
{
    __atomic_store_n(&host->gone, true, __ATOMIC_RELAXED);
    return cvm_fail(EPIPE, "the process that serves connection \"%s\" (%s) has ended; open it again when that is back",
                    host->end.name, host->path);
}

/* Returns events that were read: in several calls, when there are more than an int holds. */
static int tell_events(struct host_end *host)
{
    uint64_t fresh = host->events - host->told;

    if (fresh > INT_MAX)
        fresh = INT_MAX;
    host->told += fresh;
    return (int)fresh;
}

/*
 * Takes the count of the own doorbell. The hub shares the descriptor, and may have emptied it since it polled
 * readable. So the read must not block, whatever the descriptor's flags are. The read is an acquire: memory that
 * the peer wrote before it emitted is visible after the read.
 */
static int take_events(struct host_end *host)
{
    uint64_t count;
    ssize_t length = read_nowait(host->own_doorbell, &count, sizeof(count));

    if (length == sizeof(count)) {
        host->events += count;
        return tell_events(host);
    }
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return cvm_fail(EPROTO,
                    "the descriptor of events that the process behind connection \"%s\" (%s) gave cannot be read "
                    "without waiting: it is no eventfd, or Linux is older than 5.8",
                    host->end.name, host->path);
}

/* Takes news of the peer. Returns 1 for a change, 0 for none, -EPIPE when the hub has ended. */
static int take_driver_news(struct host_end *host)
{
    struct wire_driver before = host->driver;

    if (cvm_wire_receive_driver(host->socket, &host->driver))
        return server_is_gone(host);
    return host->driver.state != before.state || host->driver.generation != before.generation;
}

/* Polls the doorbell and the socket. Returns how many are readable. */
static int look(const struct host_end *host, struct pollfd fds[2], int timeout_ms)
{
    int ready;

    fds[0] = (struct pollfd){.fd = host->own_doorbell, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = host->socket, .events = POLLIN};
    ready = poll(fds, 2, timeout_ms);
    return ready < 0 ? cvm_fail(errno, "waiting for connection \"%s\": %s", host->end.name, error_reason(errno))
                     : ready;
}

static int host_wait(struct crossvm_end *end, deadline_t deadline)
{
    struct host_end *host = host_of(end);
    struct pollfd fds[2];

    if (host->told != host->events)
        return tell_events(host);

    for (bool polled = false;; polled = true) {
        int ready, result;

        /* Wake-ups without news do not prolong the wait. */
        if (polled && deadline_is_over(deadline))
            return 0;
        ready = look(host, fds, deadline_poll_ms(deadline));
        if (ready <= 0)
            return ready;

        /* Events first: those of a peer that has just ended come before the news of that. */
        result = fds[0].revents ? take_events(host) : 0;
        if (result)
            return result;
        result = fds[1].revents ? take_driver_news(host) : 0;
        if (result)
            return result < 0 ? result : 0;
    }
}

/* One look tells both: a loop that sleeps on many descriptors does this before each sleep. */
static int host_take(struct crossvm_end *end, uint64_t *peer)
{
    struct host_end *host = host_of(end);
    struct pollfd fds[2];
    int result = look(host, fds, 0);

    if (result > 0 && fds[0].revents)
        result = take_events(host);
    host->told = host->events;
    if (result >= 0 && fds[1].revents)
        result = take_driver_news(host);
    *peer = (uint64_t)host->driver.generation << 32 | peer_state_of(host->driver.state);
    return result < 0 ? result : 0;
}

/* --- the other calls --- */

static int host_emit(struct crossvm_end *end)
{
    static const uint64_t one = 1;
    struct host_end *host = host_of(end);
    ssize_t length;

    if (__atomic_load_n(&host->gone, __ATOMIC_RELAXED))
        return cvm_fail(EIO,
                        "the process that serves connection \"%s\" (%s) has ended; open it again when that is back",
                        end->name, host->path);
    /*
     * Release: orders all loads and stores of dataports before the store of PEER_SEQ. Pairs with the peer's acquire of
     * it. The kernel orders PEER_SEQ before what its eventfd wakes: an interrupt of a guest, or a program.
     */
    __atomic_fetch_add(host->peer_page, 1, __ATOMIC_RELEASE);
    do
        length = write(host->peer_doorbell, &one, sizeof(one));
    while (length < 0 && errno == EINTR);
    /* A full counter means that a signal waits for the peer. It announces this event, too. */
    if (length == sizeof(one) || (length < 0 && errno == EAGAIN))
        return 0;
    return cvm_fail(EIO, "cannot signal the peer of connection \"%s\" (%s)", end->name, host->path);
}

static uint32_t host_peer_state(struct crossvm_end *end, uint32_t *generation)
{
    struct host_end *host = host_of(end);

    bool gone = take_driver_news(host) < 0;

    *generation = host->driver.generation;
    return gone ? CROSSVM_PEER_ABSENT : peer_state_of(host->driver.state);
}

static void describe(const char *path, const struct crossvm_wire_reply *reply, crossvm_end_info_t *info)
{
    info->via = CROSSVM_VIA_SOCKET;
    cvm_copy_text(info->path, sizeof(info->path), path);
    cvm_copy_text(info->name, sizeof(info->name), reply->name);
    cvm_copy_text(info->location, sizeof(info->location), reply->vm);
    info->end = 1 - reply->peer_end;
    info->peer_state = peer_state_of(reply->driver_state);
    info->peer_generation = reply->generation;
    info->msi = reply->msi != 0;
    info->owner = reply->owned != 0;
    info->num_dataports = reply->num_dataports;
    for (size_t i = 0; i < reply->num_dataports; i++) {
        info->dataports[i].size = reply->dataports[i].size;
        info->dataports[i].rights = reply->dataports[i].rights;
    }
    info->vm_exits = reply->vm_exits;
    info->vm_user_exits = reply->vm_user_exits;
    info->peer_door = reply->peer_door;
    info->peer_here = reply->peer_here != 0;
}

int cvm_host_look(const char *path, crossvm_end_info_t *info)
{
    struct wire_answer answer;
    int error = cvm_wire_request(path, CROSSVM_WIRE_INFO, LOOK_TIMEOUT_MS, &answer);

    memset(info, 0, sizeof(*info));
    info->via = CROSSVM_VIA_SOCKET;
    info->error = error;
    cvm_copy_text(info->path, sizeof(info->path), path);
    if (error)
        info->owner = -1;
    else
        describe(path, &answer.reply, info);
    return error;
}

static int host_info(const struct crossvm_end *end, crossvm_end_info_t *info)
{
    const struct host_end *host = (const struct host_end *)end;
    int error = cvm_host_look(host->path, info);

    if (!error)
        info->events = host->events;
    return error;
}

/* Gives back what an end has so far. The hub notices that the socket closes. */
static void host_close(struct crossvm_end *end)
{
    struct host_end *host = host_of(end);
    int fds[] = {end->fd, host->own_doorbell, host->peer_doorbell, host->socket};

    cvm_unmap_dataports(end);
    if (host->peer_page)
        munmap(host->peer_page, CROSSVM_PAGE_SIZE);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(host->path);
    free(host);
}

static const struct end_ops host_ops = {
    .close = host_close,
    .emit = host_emit,
    .wait = host_wait,
    .take = host_take,
    .peer_state = host_peer_state,
    .info = host_info,
};

/* --- opening --- */

static int bad_descriptor(const struct host_end *host, const char *which, const char *fault)
{
    return cvm_fail(EPROTO, "the process behind connection \"%s\" (%s) gave %s that %s", host->end.name, host->path,
                    which, fault);
}

/* An eventfd is a file without a type. Reads and writes of another file without a type fail, and do no harm. */
static bool may_be_eventfd(int fd)
{
    struct stat status;

    return !fstat(fd, &status) && (status.st_mode & S_IFMT) == 0;
}

/* A program that had this end before may share the descriptor, and have filled the counter. An emit must not wait then.
 */
static void do_not_wait(int eventfd)
{
    int flags = fcntl(eventfd, F_GETFL);

    if (flags >= 0)
        (void)fcntl(eventfd, F_SETFL, flags | O_NONBLOCK);
}

/* Maps size bytes of a memfd from an offset on. */
static int map_memory(const struct host_end *host, const char *which, int memfd, uint64_t offset, size_t size, int prot,
                      void **address)
{
    const char *fault = received_memory_fault(memfd, offset + size);

    if (fault)
        return bad_descriptor(host, which, fault);
    *address = mmap(NULL, size, prot, MAP_SHARED, memfd, (off_t)offset);
    if (*address != MAP_FAILED)
        return 0;
    *address = NULL;
    if (errno == EACCES || errno == EPERM)
        return bad_descriptor(host, which, "does not have the rights that it says");
    return cvm_fail(errno, "cannot map %s of connection \"%s\" (%s): %s", which, host->end.name, host->path,
                    error_reason(errno));
}

static int map_all(struct host_end *host, const struct wire_answer *answer)
{
    void *address = NULL;
    int error = map_memory(host, "a peer page", answer->fds[FD_PEER_PAGE], answer->reply.peer_page_offset,
                           CROSSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, &address);

    if (error)
        return error;
    host->peer_page = address;
    for (size_t i = 0; i < answer->reply.num_dataports; i++) {
        const struct crossvm_wire_dataport *dataport = &answer->reply.dataports[i];
        int prot = dataport->rights & CROSSVM_RIGHT_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;

        error = map_memory(host, "a dataport", answer->fds[FD_DATAPORTS + i], dataport->offset, dataport->size, prot,
                           &address);
        if (error)
            return error;
        host->end.dataports[i] = (crossvm_dataport_t){address, dataport->size, dataport->rights};
        host->end.num_dataports++;
    }
    return 0;
}

static int make_epoll(struct host_end *host)
{
    struct epoll_event readable = {.events = EPOLLIN};

    host->end.fd = descriptor_above_standard(epoll_create1(EPOLL_CLOEXEC));
    if (host->end.fd < 0 || epoll_ctl(host->end.fd, EPOLL_CTL_ADD, host->own_doorbell, &readable) ||
        epoll_ctl(host->end.fd, EPOLL_CTL_ADD, host->socket, &readable))
        return cvm_fail(errno, "cannot poll the descriptors of connection \"%s\" (%s): %s", host->end.name, host->path,
                        error_reason(errno));
    return 0;
}

int cvm_host_open(struct crossvm_end **end, const char *path)
{
    struct wire_answer answer;
    struct host_end *host;
    int error = cvm_wire_request(path, CROSSVM_WIRE_ATTACH, OPEN_TIMEOUT_MS, &answer);

    if (error)
        return error;
    host = calloc(1, sizeof(*host));
    if (!host) {
        cvm_wire_close(&answer);
        return cvm_fail(ENOMEM, "no memory to open %s", path);
    }
    host->end.ops = &host_ops;
    host->end.fd = -1;
    cvm_copy_text(host->end.name, sizeof(host->end.name), answer.reply.name);
    host->end.number = 1 - answer.reply.peer_end;
    host->driver = (struct wire_driver){answer.reply.driver_state, answer.reply.generation};
    host->socket = descriptor_take(&answer.socket);
    host->own_doorbell = descriptor_take(&answer.fds[FD_OWN_DOORBELL]);
    host->peer_doorbell = descriptor_take(&answer.fds[FD_PEER_DOORBELL]);
    host->path = strdup(path);

    if (!host->path)
        error = cvm_fail(ENOMEM, "no memory to open %s", path);
    else if (!may_be_eventfd(host->own_doorbell) || !may_be_eventfd(host->peer_doorbell))
        error = bad_descriptor(host, "a descriptor for events", "is no eventfd");
    else
        error = map_all(host, &answer);
    if (!error) {
        do_not_wait(host->peer_doorbell);
        error = make_epoll(host);
    }

    cvm_wire_close(&answer);
    if (error) {
        host_close(&host->end);
        return error;
    }
    *end = &host->end;
    return 0;
}
