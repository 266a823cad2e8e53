/* SPDX-License-Identifier: BSD-2-Clause */
#include "hub.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../common/message.h"
#include "../common/size.h"
#include "../wire/door.h"
#include "../wire/memory.h"
#include "../wire/vfio_user.h"
#include "door.h"
#include "entrance.h"
#include "view.h"

struct served_connection {
    struct hub_connection *connection;
    struct hub_door *doors[2];
    struct hub_view *view; /* NULL: none */
    struct served_connection *next;
};

struct hub {
    const char *dir;
    bool stats;
    struct hub_loop *loop;
    struct served_connection *connections;
    uint64_t dataport_bytes; /* of all connections */
    pthread_t thread;
    int (*begin)(void);
    int stop; /* an eventfd that ends the thread; -1: there is no thread */
};

/* --- names --- */

const char *hub_door_word(enum crossvm_door door)
{
    static const char *const words[] = {
        [CROSSVM_DOOR_UNKNOWN] = "unknown",       [CROSSVM_DOOR_HOST] = "host",
        [CROSSVM_DOOR_CROSSVM_VM] = "crossvm-vm", [CROSSVM_DOOR_VFIO_USER] = "vfio-user",
        [CROSSVM_DOOR_IVSHMEM] = "ivshmem",
    };

    return words[door];
}

bool hub_socket_path(char path[PATH_MAX], const char *dir, const char *connection, const struct hub_end_config *config)
{
    int length;

    if (config->path)
        length = snprintf(path, PATH_MAX, "%s", config->path);
    else if (config->door == CROSSVM_DOOR_HOST)
        length = snprintf(path, PATH_MAX, "%s/%s.sock", dir, config->name ? config->name : connection);
    else
        length = snprintf(path, PATH_MAX, "%s/%s@%s.%s", dir, connection, config->vm, hub_door_word(config->door));
    return length >= 0 && (size_t)length < DOOR_PATH_BYTES;
}

/* --- making --- */

/* The most that a door holds, whoever comes to it. */
static size_t door_descriptors(enum crossvm_door door)
{
    switch (door) {
    case CROSSVM_DOOR_HOST:
        return HUB_ENTRANCE_DESCRIPTORS + DOOR_MAX_CLIENTS;
    case CROSSVM_DOOR_CROSSVM_VM:
        return HUB_ENTRANCE_DESCRIPTORS + 1;
    case CROSSVM_DOOR_IVSHMEM:
        return HUB_ENTRANCE_DESCRIPTORS + 2; /* a VMM, the hub's doorbell */
    default: /* a VMM, BAR0, INTx, its unmasking, MSI; what came with a message, or is being closed */
        return HUB_ENTRANCE_DESCRIPTORS + 5 + VFIO_USER_MAX_FDS;
    }
}

size_t hub_descriptors(const struct hub_connection_config *config)
{
    size_t n = 2 * config->num_dataports; /* each a second time, for reading only */

    n += HUB_ENTRANCE_DESCRIPTORS + HUB_VIEW_OBSERVERS;
    for (int i = 0; i < 2; i++) {
        n += 3; /* doorbell, page, and that for reading only */
        n += door_descriptors(config->ends[i].door);
    }
    return n;
}

uint64_t hub_file_bytes(const struct hub_connection_config *config)
{
    return region_bytes(config->dataports, config->num_dataports);
}

struct hub *hub_create(const char *dir, bool stats)
{
    struct hub *hub = calloc(1, sizeof(*hub));

    if (!hub) {
        message("no memory for a hub");
        return NULL;
    }
    *hub = (struct hub){.dir = dir, .stats = stats, .stop = -1, .loop = hub_loop_create()};
    if (hub->loop)
        return hub;
    free(hub);
    return NULL;
}

/*
 * Memory is taken when it is touched, so too much of it fails late; but more than the machine has will never be there.
 * 0, or -1 after a message.
 */
static int check_memory(struct hub *hub, const struct hub_connection_config *config)
{
    char asked[SIZE_TEXT_BYTES], most[SIZE_TEXT_BYTES];

    for (size_t i = 0; i < config->num_dataports; i++) {
        uint64_t size = config->dataports[i].size, room = UINT64_MAX - hub->dataport_bytes;

        hub->dataport_bytes += size < room ? size : room;
    }
    if (hub->dataport_bytes <= memory_most())
        return 0;
    message("connection \"%s\": %s take %s, and this machine has %s of memory and swap; choose smaller ones",
            config->name, hub->connections ? "the dataports up to its own" : "its dataports",
            size_format(asked, hub->dataport_bytes), size_format(most, memory_most() >> 20 << 20));
    return -1;
}

static struct hub_door *open_door(const struct hub *hub, struct hub_end *end, const struct hub_end_config *config)
{
    const char *name = config->name ? config->name : hub_end_name(end);
    char path[PATH_MAX];

    if (!hub_socket_path(path, hub->dir, hub_end_name(end), config)) {
        message(
            "connection \"%s\": the path %s is too long for a socket; choose shorter names, or another --socket-dir",
            hub_end_name(end), path);
        return NULL;
    }
    switch (config->door) {
    case CROSSVM_DOOR_HOST:
        return hub_door_host_open(hub->loop, end, path, name);
    case CROSSVM_DOOR_CROSSVM_VM:
        return hub_door_vm_open(hub->loop, end, path);
    case CROSSVM_DOOR_VFIO_USER:
        return hub_door_vfio_user_open(hub->loop, end, path, hub->stats);
    case CROSSVM_DOOR_IVSHMEM:
        return hub_door_ivshmem_open(hub->loop, end, path);
    default:
        message("connection \"%s\": there is no door %s", hub_end_name(end), hub_door_word(config->door));
        return NULL;
    }
}

/* Opens the view. Without one, after a message, the connection is as good for its ends. */
static void open_view(const struct hub *hub, struct served_connection *served)
{
    const char *name = hub_end_name(hub_connection_end(served->connection, 0));
    char path[DOOR_PATH_BYTES];

    if (snprintf(path, sizeof(path), "%s/%s.view", hub->dir, name) >= (int)(sizeof(path) - strlen(".lock"))) {
        message("connection \"%s\" cannot be observed: the path %s/%s.view is too long for a socket; choose shorter "
                "names, or another --socket-dir, if you want `crossvm top` to see it",
                name, hub->dir, name);
        return;
    }
    served->view = hub_view_open(hub->loop, served->connection, path);
}

int hub_add(struct hub *hub, const struct hub_connection_config *config)
{
    struct served_connection *served;

    if (check_memory(hub, config))
        return -1;
    served = calloc(1, sizeof(*served));
    if (!served) {
        message("no memory for connection \"%s\"", config->name);
        return -1;
    }
    served->next = hub->connections;
    hub->connections = served;
    served->connection = hub_connection_create(hub->loop, config);
    for (unsigned int i = 0; i < 2 && served->connection; i++) {
        served->doors[i] = open_door(hub, hub_connection_end(served->connection, i), &config->ends[i]);
        if (!served->doors[i])
            return -1;
    }
    if (!served->connection)
        return -1;
    open_view(hub, served);
    return 0;
}

/* --- serving --- */

int hub_serve(struct hub *hub, int stop)
{
    return hub_loop_run(hub->loop, stop);
}

static void *serve_in_thread(void *argument)
{
    struct hub *hub = argument;

    (void)pthread_setname_np(pthread_self(), "hub");
    if ((hub->begin && hub->begin()) || hub_serve(hub, hub->stop))
        (void)kill(getpid(), SIGTERM);
    return NULL;
}

int hub_start(struct hub *hub, int (*begin)(void))
{
    sigset_t all, before;
    int error;

    hub->begin = begin;
    hub->stop = eventfd(0, EFD_CLOEXEC);
    if (hub->stop < 0) {
        message("cannot make an eventfd for the hub's thread: %s", error_reason(errno));
        return -1;
    }
    /* Signals are for the thread that handles them. */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&hub->thread, NULL, serve_in_thread, hub);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0)
        return 0;
    message("cannot start the hub's thread: %s", start_error_reason(error));
    close(hub->stop);
    hub->stop = -1;
    return -1;
}

void hub_destroy(struct hub *hub)
{
    if (!hub)
        return;
    if (hub->stop >= 0) {
        (void)eventfd_write(hub->stop, 1);
        (void)pthread_join(hub->thread, NULL);
        close(hub->stop);
    }
    for (struct served_connection *served = hub->connections; served; served = served->next) {
        if (served->connection)
            hub_connection_hang_up(served->connection);
    }
    while (hub->connections) {
        struct served_connection *served = hub->connections;

        hub->connections = served->next;
        hub_door_close(served->doors[0]);
        hub_door_close(served->doors[1]);
        hub_view_close(served->view);
        hub_connection_destroy(served->connection);
        free(served);
    }
    hub_loop_destroy(hub->loop);
    free(hub);
}
