/* SPDX-License-Identifier: BSD-2-Clause */
#include "observed.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../common/error_reason.h"
#include "../common/name.h"
#include "../lib/deadline.h"
#include "../lib/error.h"
#include "../lib/wire_client.h"
#include "../wire/checks.h"
#include "../wire/descriptors.h"
#include "../wire/received_memory.h"

#define OPEN_TIMEOUT_MS 1000

/* How many messages one call takes: a hub that sends without end must not keep it from returning. */
#define MESSAGES_AT_ONCE 16

/* --- messages --- */

/* What is wrong with a message, or NULL. */
static const char *find_fault(struct crossvm_wire_observed *told, ssize_t length, enum crossvm_wire_type type)
{
    if (length < (ssize_t)sizeof(told->header) || !wire_header_is_known(&told->header))
        return "another protocol or version";
    if (length < (ssize_t)sizeof(*told))
        return "a message that is too short";
    if (told->header.type != type)
        return "a reply to another request";
    if (told->status)
        return told->status > INT16_MAX ? "an impossible status" : NULL;
    told->name[sizeof(told->name) - 1] = '\0';
    if (!name_is_valid(told->name))
        return "no name";
    if (told->num_dataports > CROSSVM_MAX_DATAPORTS)
        return "too many dataports";
    for (size_t i = 0; i < told->num_dataports; i++) {
        if (!wire_dataport_is_valid(&told->dataports[i]))
            return "a dataport with an impossible size, offset or rights";
    }
    for (size_t i = 0; i < 2; i++) {
        cvm_wire_clean_text(told->ends[i].vm, sizeof(told->ends[i].vm));
        if (told->ends[i].door > CROSSVM_DOOR_IVSHMEM)
            return "a door that is not known";
        if (told->ends[i].driver_state > CROSSVM_DRIVER_OPEN)
            return "a state of an end that is not known";
        if (!wire_range_is_valid(told->ends[i].page_offset, CROSSVM_PAGE_SIZE))
            return "a page with an impossible offset";
    }
    return NULL;
}

static int protocol_error(const struct observed *observed, const char *fault)
{
    return cvm_fail(EPROTO, "the hub at %s sent %s; use the same release of crossvm there and here", observed->path,
                    fault);
}

static bool ask(const struct observed *observed, enum crossvm_wire_type type)
{
    const struct crossvm_wire_header request = {CROSSVM_WIRE_MAGIC, CROSSVM_WIRE_VERSION, (uint16_t)type};

    return send(observed->socket, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(request);
}

void observed_ask(struct observed *observed)
{
    (void)ask(observed, CROSSVM_WIRE_INFO); /* a hub that takes nothing any more is noticed by who hears */
}

static void take(struct observed *observed, const struct crossvm_wire_observed *told)
{
    struct crossvm_wire_dataport mapped[CROSSVM_MAX_DATAPORTS];

    /* Their sizes, as they were mapped: a later message must not change what is unmapped. */
    memcpy(mapped, observed->pages[0] ? observed->told.dataports : told->dataports, sizeof(mapped));
    observed->told = *told;
    memcpy(observed->told.dataports, mapped, sizeof(mapped));
    observed->awaits_exits = told->ends[0].asked || told->ends[1].asked;
}

bool observed_hear(struct observed *observed)
{
    for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
        struct crossvm_wire_observed told;
        /* There is no room for descriptors, so the kernel drops them. */
        ssize_t length = recv(observed->socket, &told, sizeof(told), MSG_DONTWAIT);

        if (length < 0)
            return errno == EAGAIN || errno == EINTR;
        if (length == 0 || find_fault(&told, length, CROSSVM_WIRE_INFO) || told.status ||
            told.num_dataports != observed->told.num_dataports)
            return false;
        take(observed, &told);
    }
    return true;
}

/* --- memory --- */

static int map(const struct observed *observed, int fd, uint64_t offset, uint64_t size, const void **address)
{
    const char *fault = received_memory_fault(fd, offset + size);
    void *mapped;

    if (fault)
        return cvm_fail(EPROTO, "the hub at %s gave memory that %s", observed->path, fault);
    mapped = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)offset);
    if (mapped == MAP_FAILED)
        return cvm_fail(errno, "cannot map the memory of connection \"%s\": %s", observed->told.name,
                        error_reason(errno));
    *address = mapped;
    return 0;
}

static int map_all(struct observed *observed, const int *fds)
{
    const struct crossvm_wire_observed *told = &observed->told;
    const void *page = NULL;
    int error = 0;

    for (size_t i = 0; i < 2 && !error; i++) {
        error = map(observed, fds[i], told->ends[i].page_offset, CROSSVM_PAGE_SIZE, &page);
        if (!error)
            observed->pages[i] = page;
    }
    for (size_t i = 0; i < told->num_dataports && !error; i++) {
        const struct crossvm_wire_dataport *dataport = &told->dataports[i];

        error = map(observed, fds[CROSSVM_WIRE_OBSERVED_FIXED_FDS + i], dataport->offset, dataport->size,
                    &observed->dataports[i]);
        if (!error)
            channel_watch_begin(&observed->channels[i], observed->dataports[i], dataport->size);
    }
    return error;
}

/* --- life --- */

/* Waits for the reply with descriptors, which is the first message of a hub. */
static int receive_reply(struct observed *observed, int *fds, size_t *num_fds)
{
    deadline_t deadline = deadline_in(OPEN_TIMEOUT_MS);

    for (;;) {
        struct pollfd hub = {.fd = observed->socket, .events = POLLIN};
        struct crossvm_wire_observed told;
        const char *fault;
        ssize_t length;

        if (poll(&hub, 1, deadline_poll_ms(deadline)) == 0)
            return cvm_fail(ETIMEDOUT, "the hub at %s does not answer: it hangs or is stopped", observed->path);
        length =
            cvm_descriptors_receive(observed->socket, &told, sizeof(told), fds, CROSSVM_WIRE_OBSERVED_MAX_FDS, num_fds);
        if (length < 0 && errno == EAGAIN)
            continue;
        if (length < 0 && errno != ECONNRESET)
            return cvm_fail(errno, "cannot receive the reply of %s: %s", observed->path, error_reason(errno));
        if (length <= 0)
            return cvm_fail(ECONNRESET,
                            "the hub at %s closed the connection without an answer: it has ended, or too "
                            "many observers came at once; try again",
                            observed->path);
        fault = find_fault(&told, length, CROSSVM_WIRE_OBSERVE);
        if (fault)
            return protocol_error(observed, fault);
        if (told.status)
            return cvm_fail((int)told.status, "the hub at %s refuses: %s", observed->path,
                            error_reason((int)told.status));
        take(observed, &told);
        return 0;
    }
}

int observed_open(struct observed *observed, const char *path)
{
    int fds[CROSSVM_WIRE_OBSERVED_MAX_FDS];
    size_t num_fds = 0;
    int error;

    for (size_t i = 0; i < CROSSVM_WIRE_OBSERVED_MAX_FDS; i++)
        fds[i] = -1;
    *observed = (struct observed){.path = strdup(path), .socket = -1};
    if (!observed->path)
        return cvm_fail(ENOMEM, "no memory to observe %s", path);
    observed->socket = cvm_wire_connect(path, OPEN_TIMEOUT_MS);
    error = observed->socket < 0 ? observed->socket : 0;
    if (!error && !ask(observed, CROSSVM_WIRE_OBSERVE))
        error = cvm_fail(errno, "cannot ask the hub at %s: %s", path, error_reason(errno));
    if (!error)
        error = receive_reply(observed, fds, &num_fds);
    if (!error && num_fds != CROSSVM_WIRE_OBSERVED_FIXED_FDS + observed->told.num_dataports)
        error = protocol_error(observed, "another number of descriptors than of dataports");
    if (!error)
        error = map_all(observed, fds);
    for (size_t i = 0; i < CROSSVM_WIRE_OBSERVED_MAX_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    if (error)
        observed_close(observed);
    return error;
}

void observed_close(struct observed *observed)
{
    for (size_t i = 0; i < 2; i++) {
        if (observed->pages[i])
            munmap((void *)observed->pages[i], CROSSVM_PAGE_SIZE);
    }
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++) {
        if (observed->dataports[i])
            munmap((void *)observed->dataports[i], observed->told.dataports[i].size);
    }
    if (observed->socket >= 0)
        close(observed->socket);
    free(observed->path);
    *observed = (struct observed){.socket = -1};
}

/* --- looking --- */

void observed_look(struct observed *observed, int64_t now_ns)
{
    for (size_t i = 0; i < observed->told.num_dataports; i++)
        channel_watch_look(&observed->channels[i], now_ns);
}

uint64_t observed_events(const struct observed *observed, unsigned int end)
{
    return __atomic_load_n(observed->pages[end], __ATOMIC_RELAXED);
}
