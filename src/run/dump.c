/* SPDX-License-Identifier: BSD-2-Clause */
#include "dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/exit_status.h"
#include "../common/message.h"
#include "../hub/door.h"
#include "topology_hub.h"

/* What a VM joins while its devices are shown: connections that nobody serves, by sockets that it inherits. */
struct joins {
    struct hub_connection **connections;
    struct vmm_socket *sockets; /* whose paths are their numbers */
    size_t n;
};

static void destroy_joins(struct joins *joins)
{
    for (size_t i = 0; i < joins->n; i++) {
        if (joins->sockets[i].path[0])
            close((int)strtol(joins->sockets[i].path, NULL, 10));
        hub_connection_destroy(joins->connections[i]);
    }
    free(joins->connections);
    free(joins->sockets);
}

/* 0, or -1 after a message. */
static int add_join(struct joins *joins, struct hub_loop *loop, const struct hub_connection_config *config, int end)
{
    size_t i = joins->n++;
    int pair[2];

    joins->connections[i] = hub_connection_create(loop, config);
    if (!joins->connections[i])
        return -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0) {
        int error = hub_door_vm_join(hub_connection_end(joins->connections[i], (unsigned int)end), pair[0]);

        close(pair[0]); /* what was sent stays */
        (void)snprintf(joins->sockets[i].path, sizeof(joins->sockets[i].path), "%d", pair[1]);
        if (!error)
            return 0;
    }
    message("connection \"%s\": cannot hand its end over: %s", config->name, error_reason(errno));
    return -1;
}

static int create_joins(struct joins *joins, const struct topology *topology, size_t vm, struct hub_loop *loop)
{
    size_t n = topology->num_connections + 1;
    struct hub_connection_config config;

    *joins = (struct joins){calloc(n, sizeof(struct hub_connection *)), calloc(n, sizeof(struct vmm_socket)), 0};
    if (!joins->connections || !joins->sockets) {
        message("no memory for the connections of VM %s", topology->vms[vm].name);
        return -1;
    }
    for (size_t i = 0; i < topology->num_connections; i++) {
        int end = connection_end_of(&topology->connections[i], vm);

        if (end < 0)
            continue;
        topology_describe(topology, i, &config);
        if (add_join(joins, loop, &config, end))
            return -1;
    }
    return 0;
}

/* Runs crossvm-vm with --dump. 0, or -1 after a message. */
static int dump_vm(const struct topology *topology, size_t vm, struct hub_loop *loop,
                   const struct vm_command_options *options)
{
    struct vm_command command = {0};
    struct joins joins;
    int error = create_joins(&joins, topology, vm, loop);
    int status = 0;

    if (!error)
        error = vm_command_make(&command, &topology->vms[vm], joins.sockets, joins.n, options);
    if (!error) {
        pid_t pid = fork();

        if (pid == 0)
            vm_command_execute(&command);
        if (pid < 0)
            message("cannot start a process: %s", error_reason(errno));
        error = pid < 0 || waitpid(pid, &status, 0) != pid || status ? -1 : 0;
    }
    vm_command_free(&command);
    destroy_joins(&joins);
    return error;
}

int topology_dump(const struct topology *topology, const struct vm_command_options *options)
{
    struct hub_loop *loop = hub_loop_create();
    int error = loop ? 0 : -1;
    size_t shown = 0;

    if (options->json)
        printf("[");
    for (size_t i = 0; i < topology->num_vms && !error; i++) {
        if (topology->vms[i].vmm != VMM_CROSSVM_VM)
            continue;
        if (options->json && shown++)
            printf(",\n");
        (void)fflush(stdout); /* before what the program prints */
        error = dump_vm(topology, i, loop, options);
    }
    if (options->json)
        printf("]\n");
    hub_loop_destroy(loop);
    return error ? STATUS_ERROR : STATUS_OK;
}
