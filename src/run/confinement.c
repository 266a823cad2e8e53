/* SPDX-License-Identifier: BSD-2-Clause */
#include "confinement.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "../common/message.h"
#include "../hub/confinement.h"
#include "../sandbox/libc_calls.h"
#include "../sandbox/lock_down.h"
#include "topology_hub.h"

/* The main thread; besides, at the end, it does what the hub's does. */
static const struct filter_rule runner[] = {
    FILTER_CALL(ppoll), /* arm64's poll() */
    FILTER_CALL(poll),
    FILTER_CALL(read),    /* what VMs print; signals; ends of VMs */
    FILTER_CALL(recvmsg), /* the starter's answers, and what is typed */
    FILTER_CALL(sendmsg), /* orders for the starter */
    FILTER_CALL(pipe2),   /* a VM's standard output and error */
    FILTER_CALL_WITH(socketpair, 0, AF_UNIX),
    FILTER_CALL_WITH(fcntl, 1, F_SETFL), /* ... that this process does not wait for */
    FILTER_CALL(wait4),                  /* for the starter's end */
};

static struct filter main_filter, hub_filter;
static bool confined;

static int make_filters(void)
{
    const struct filter_list main_lists[] = {FILTER_LIST(runner), libc_calls(), hub_calls(), libc_thread_calls()};
    const struct filter_list hub_lists[] = {hub_calls(), libc_calls(), libc_thread_calls()};

    return filter_make(&main_filter, "main", main_lists, sizeof(main_lists) / sizeof(main_lists[0])) ||
                   filter_make(&hub_filter, "hub", hub_lists, sizeof(hub_lists) / sizeof(hub_lists[0]))
               ? -1
               : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Bytes of the largest file that is written: of the hub, or of a console. */
static uint64_t largest_file(const struct topology *topology)
{
    uint64_t largest = topology_hub_file_bytes(topology);

    for (size_t i = 0; i < topology->num_vms; i++) {
        if (topology->vms[i].console == CONSOLE_FILE)
            largest = larger(largest, topology->vms[i].console_max_size);
    }
    return largest;
}

/* Where sockets and locks are to be removed: those of doors, and of consoles. */
static int lock_down_to_folders(const struct topology *topology, const char *socket_dir)
{
    char(*names)[PATH_MAX] = calloc(topology->num_vms + 1, sizeof(*names));
    struct landlock_folder folders[TOPOLOGY_MAX_VMS + 1] = {{.path = socket_dir}};
    struct lock_down lock = {.folders = folders};
    int error;

    if (!names) {
        message("no memory for the folders of sockets");
        return -1;
    }
    lock.num_folders = topology->num_connections ? 1 : 0;
    for (size_t i = 0; i < topology->num_vms; i++) {
        if (topology->vms[i].console != CONSOLE_SOCKET)
            continue;
        hub_folder_of(names[i], topology->vms[i].console_path);
        folders[lock.num_folders++] = (struct landlock_folder){.path = names[i]};
    }
    error = lock_down(&lock);
    free(names);
    return error;
}

int confinement_begin(const struct topology *topology, const struct vm_command_options *options, size_t descriptors)
{
    const struct limits limits = hub_limits(descriptors, largest_file(topology));

    if (options->no_sandbox || !lock_down_is_possible())
        return 0;
    if (make_filters() || limits_set(&limits) || lock_down_to_folders(topology, options->socket_dir))
        return -1;
    confined = true;
    return 0;
}

int confinement_enter_hub(void)
{
    return confined ? filter_enter(&hub_filter) : 0;
}

int confinement_enter_main(void)
{
    return confined ? filter_enter(&main_filter) : 0;
}
