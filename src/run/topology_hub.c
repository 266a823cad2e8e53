/* SPDX-License-Identifier: BSD-2-Clause */
#include "topology_hub.h"

#include <string.h>

static struct hub_end_config describe_end(const struct topology *topology, int end)
{
    if (end == TOPOLOGY_HOST)
        return (struct hub_end_config){.door = CROSSVM_DOOR_HOST};
    return (struct hub_end_config){.door = topology->vms[end].door, .vm = topology->vms[end].name};
}

void topology_describe(const struct topology *topology, size_t connection, struct hub_connection_config *config)
{
    const struct topology_connection *planned = &topology->connections[connection];

    *config = (struct hub_connection_config){
        .name = planned->name,
        .ends = {describe_end(topology, planned->ends[0]), describe_end(topology, planned->ends[1])},
        .num_dataports = planned->num_dataports,
        .base_block_only = planned->base_block_only,
    };
    memcpy(config->dataports, planned->dataports, sizeof(config->dataports));
}

bool topology_socket(const struct topology *topology, size_t connection, int end, const char *dir, char path[PATH_MAX])
{
    const struct topology_connection *planned = &topology->connections[connection];
    struct hub_end_config config = describe_end(topology, planned->ends[end]);

    return hub_socket_path(path, dir, planned->name, &config);
}

void topology_vmm_socket(const struct topology *topology, size_t connection, int end, const char *dir,
                         struct vmm_socket *socket)
{
    const struct topology_connection *planned = &topology->connections[connection];
    const struct topology_vm *vm = &topology->vms[planned->ends[end]];

    *socket = (struct vmm_socket){.is_of_vm = true, .door = vm->door};
    (void)topology_socket(topology, connection, end, dir, socket->path);
    memcpy(socket->name, planned->name, strlen(planned->name));
    memcpy(socket->chosen, vm->name, strlen(vm->name));
}

size_t topology_hub_descriptors(const struct topology *topology)
{
    struct hub_connection_config config;
    size_t n = HUB_DESCRIPTORS;

    for (size_t i = 0; i < topology->num_connections; i++) {
        topology_describe(topology, i, &config);
        n += hub_descriptors(&config);
    }
    return n;
}

uint64_t topology_hub_file_bytes(const struct topology *topology)
{
    struct hub_connection_config config;
    uint64_t most = 0;

    for (size_t i = 0; i < topology->num_connections; i++) {
        topology_describe(topology, i, &config);
        most = hub_file_bytes(&config) > most ? hub_file_bytes(&config) : most;
    }
    return most;
}

struct hub *topology_hub_create(const struct topology *topology, const char *dir, bool stats)
{
    struct hub *hub = hub_create(dir, stats);
    struct hub_connection_config config;

    for (size_t i = 0; hub && i < topology->num_connections; i++) {
        topology_describe(topology, i, &config);
        if (hub_add(hub, &config) == 0)
            continue;
        hub_destroy(hub);
        hub = NULL;
    }
    return hub;
}
