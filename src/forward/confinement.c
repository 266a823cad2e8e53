/* SPDX-License-Identifier: BSD-2-Clause */
#include "confinement.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../common/message.h"
#include "../sandbox/libc_calls.h"
#include "../sandbox/limits.h"
#include "../sandbox/lock_down.h"

#define SPARE_MEMORY ((uint64_t)64 << 20)
#define SPARE_DESCRIPTORS 8

static struct filter filter;

/* --- system calls --- */

static const struct filter_rule always[] = {
    FILTER_CALL(recvfrom),                                                      /* sockets, here and below */
    FILTER_CALL(sendto),     FILTER_CALL(epoll_wait), FILTER_CALL(epoll_pwait), /* the same, on arm64 */
    FILTER_CALL(read), /* events of the connection, here and below; standard input */
    FILTER_CALL(pread64),    FILTER_CALL(pwrite64),   FILTER_CALL(preadv2),     FILTER_CALL(poll),
    FILTER_CALL(ppoll),      FILTER_CALL(recvmsg), /* packets; what the hub says of the peer */
    FILTER_CALL(epoll_ctl),  FILTER_CALL(setsockopt), FILTER_CALL(getsockopt),  FILTER_CALL(shutdown),
    FILTER_CALL(close),      FILTER_CALL(accept4),    FILTER_CALL(fstat), /* fflush(), at the end */
    FILTER_CALL(newfstatat), FILTER_CALL(unlink),                         /* sockets, at the end */
    FILTER_CALL(unlinkat),
};

/* To connect to the targets; of socket(), the families that they have. */
static size_t add_targets(const struct rules *rules, struct filter_rule to[RULES_MOST + 3])
{
    size_t n = 0;

    for (size_t i = 0; i < rules->num_allowed; i++) {
        const int family = rules->allowed[i].address.socket.any.sa_family;

        to[n++] = (struct filter_rule)FILTER_CALL_WITH(socket, 0, (scmp_datum_t)family);
    }
    if (n > 0) {
        to[n++] = (struct filter_rule)FILTER_CALL(connect);
        to[n++] = (struct filter_rule)FILTER_CALL_WITH(fcntl, 1, F_DUPFD_CLOEXEC); /* above standard streams */
    }
    return n;
}

static int make_filter(const struct forwarder_config *config)
{
    struct filter_rule targets[RULES_MOST + 3];
    const struct filter_list lists[] = {
        FILTER_LIST(always),
        libc_calls(),
        {.rules = targets, .num_rules = add_targets(config->rules, targets)},
    };

    return filter_make(&filter, "main", lists, sizeof(lists) / sizeof(lists[0]));
}

/* --- files and ports --- */

static void folder_of(char folder[PATH_MAX], const char *path)
{
    const char *slash = strrchr(path, '/');

    (void)snprintf(folder, PATH_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

static uint16_t port_of(const struct address *address)
{
    switch (address->socket.any.sa_family) {
    case AF_INET:
        return ntohs(address->socket.in.sin_port);
    case AF_INET6:
        return ntohs(address->socket.in6.sin6_port);
    default:
        return 0;
    }
}

/* Files of sockets that listen may be removed, and ports of targets connected to. */
static int lock_down_to(const struct rules *rules)
{
    static char names[RULES_MOST][PATH_MAX];
    struct landlock_folder folders[RULES_MOST];
    uint16_t ports[RULES_MOST];
    struct lock_down lock = {.folders = folders, .ports = ports};

    for (size_t i = 0; i < rules->num_listens; i++) {
        const struct address *address = &rules->listens[i].address;

        if (address->socket.any.sa_family != AF_UNIX)
            continue;
        folder_of(names[i], address->socket.un.sun_path);
        folders[lock.num_folders++] = (struct landlock_folder){.path = names[i], .use = LANDLOCK_REMOVE};
    }
    for (size_t i = 0; i < rules->num_allowed; i++) {
        uint16_t port = port_of(&rules->allowed[i].address);

        if (port)
            ports[lock.num_ports++] = port;
    }
    return lock_down(&lock);
}

int forward_confine(const struct forwarder_config *config)
{
    const struct limits limits = {
        .more_descriptors = 2 * (size_t)config->sockets + SPARE_DESCRIPTORS,
        .more_memory = config->memory * 2 + SPARE_MEMORY, /* what is kept, in buffers that double */
    };

    /* The filter is made in a file, which the limits may forbid. */
    return make_filter(config) || limits_set(&limits) || lock_down_to(config->rules) ? -1 : 0;
}

int forward_enter_filter(void)
{
    return filter.program ? filter_enter(&filter) : 0;
}
