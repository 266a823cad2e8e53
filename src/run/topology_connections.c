/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections of a topology. */
#include <stdlib.h>
#include <string.h>

#include "../common/vm_limits.h"
#include "../qmp/vmm_device.h"
#include "topology_hub.h"
#include "topology_read.h"
#include "value.h"
#include "words.h"

#define CROSSVM_VM_MAX_DATAPORT (512 * MIB) /* the largest BAR that fits, since BARs are powers of two */
#define MAX_DATAPORT ((uint64_t)1 << 40)

/* The index of a VM, or TOPOLOGY_HOST; -2 after an error. */
static int read_end(const struct topology *topology, const struct part *part)
{
    const char *names[TOPOLOGY_MAX_VMS + 2];
    const char *text = part_text(part);
    const char *meant;
    size_t n = 0;

    if (!text)
        return -2;
    if (strcmp(text, TOPOLOGY_HOST_NAME) == 0)
        return TOPOLOGY_HOST;
    for (size_t i = 0; i < topology->num_vms; i++) {
        if (!topology->vms[i].name)
            continue;
        if (strcmp(topology->vms[i].name, text) == 0)
            return (int)i;
        names[n++] = topology->vms[i].name;
    }
    names[n++] = TOPOLOGY_HOST_NAME;
    names[n] = NULL;
    meant = most_like(text, names);
    if (meant)
        part_error(part, "there is no VM \"%s\"; did you mean \"%s\"?", text, meant);
    else
        part_error(part, "there is no VM \"%s\"; an end is the name of a VM, or \"%s\"", text, TOPOLOGY_HOST_NAME);
    return -2;
}

/* False after an error. */
static bool read_ends(const struct topology *topology, const struct part *connection, int ends[2])
{
    struct part list;

    if (!part_require(connection, "ends", &list) || !part_check_list(&list))
        return false;
    if (part_count(&list) != 2) {
        part_error(&list, "a connection has two ends, not %zu", part_count(&list));
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        struct part item = part_item(&list, i);

        ends[i] = read_end(topology, &item);
    }
    if (ends[0] < TOPOLOGY_HOST || ends[1] < TOPOLOGY_HOST)
        return false;
    if (ends[0] == ends[1]) {
        part_error(&list, "both ends are %s; a connection joins two VMs, or a VM and the host",
                   ends[0] == TOPOLOGY_HOST ? "on the host" : "the same VM's");
        return false;
    }
    return true;
}

/* Whether an end is taken by a door. */
static bool has_door(const struct topology *topology, const int ends[2], enum crossvm_door door)
{
    for (int end = 0; end < 2; end++) {
        if (ends[end] != TOPOLOGY_HOST && topology->vms[ends[end]].door == door)
            return true;
    }
    return false;
}

static void read_dataport(const struct topology *topology, const struct part *part, const int ends[2],
                          struct dataport_spec *dataport)
{
    static const char *const keys[] = {"size", "writer", NULL};
    struct part value;

    *dataport = (struct dataport_spec){.writer = WRITER_BOTH};
    if (!part_check_mapping(part, keys))
        return;
    if (part_require(part, "size", &value))
        read_size(&value, CROSSVM_PAGE_SIZE, CROSSVM_PAGE_SIZE,
                  has_door(topology, ends, CROSSVM_DOOR_CROSSVM_VM) ? CROSSVM_VM_MAX_DATAPORT : MAX_DATAPORT,
                  &dataport->size);
    if (part_find(part, "writer", &value)) {
        const char *names[] = {ends[0] < 0 ? TOPOLOGY_HOST_NAME : topology->vms[ends[0]].name,
                               ends[1] < 0 ? TOPOLOGY_HOST_NAME : topology->vms[ends[1]].name, TOPOLOGY_BOTH_NAME,
                               NULL};
        int word = read_word(&value, names);

        dataport->writer = word == 2 ? WRITER_BOTH : word;
        if (dataport->writer != WRITER_BOTH && has_door(topology, ends, CROSSVM_DOOR_IVSHMEM))
            part_error(&value, "over ivshmem both ends can write all memory; leave this out, or choose another door");
    }
}

static void read_dataports(const struct topology *topology, const struct part *list,
                           struct topology_connection *connection)
{
    size_t n;

    if (!part_check_list(list))
        return;
    n = part_count(list);
    if (n > CROSSVM_MAX_DATAPORTS) {
        part_error(list, "%zu dataports are more than the %d that a device can have", n, CROSSVM_MAX_DATAPORTS);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct part item = part_item(list, i);

        read_dataport(topology, &item, connection->ends, &connection->dataports[i]);
    }
    connection->num_dataports = n;
}

static void read_base_block_only(const struct topology *topology, const struct part *part,
                                 struct topology_connection *connection)
{
    static const char *const words[] = {"false", "true", NULL};

    connection->base_block_only = read_word(part, words) == 1;
    if (connection->base_block_only && connection->num_dataports > 1)
        part_error(part, "a device of the base block only has one dataport, not %zu", connection->num_dataports);
    if (connection->base_block_only && (has_door(topology, connection->ends, CROSSVM_DOOR_VFIO_USER) ||
                                        has_door(topology, connection->ends, CROSSVM_DOOR_IVSHMEM)))
        part_error(part, "only crossvm-vm has devices of the base block only");
}

/* The guest has end 0, whatever the order in the file. */
static void put_host_last(struct topology_connection *connection)
{
    if (connection->ends[0] != TOPOLOGY_HOST)
        return;
    connection->ends[0] = connection->ends[1];
    connection->ends[1] = TOPOLOGY_HOST;
    for (size_t i = 0; i < connection->num_dataports; i++) {
        if (connection->dataports[i].writer != WRITER_BOTH)
            connection->dataports[i].writer = 1 - connection->dataports[i].writer;
    }
}

/* Names are unique in each VM, and on the host, where they are sockets of one directory. */
static void check_connection_name(const struct topology *topology, const struct part *part,
                                  const struct topology_connection *connection)
{
    for (size_t i = 0; i < topology->num_connections; i++) {
        const struct topology_connection *other = &topology->connections[i];

        if (!other->name || strcmp(other->name, connection->name) != 0)
            continue;
        for (size_t end = 0; end < 2; end++) {
            int here = connection->ends[end];

            if (here != other->ends[0] && here != other->ends[1])
                continue;
            part_error(part, "%s has a connection \"%s\" already; choose another name",
                       here == TOPOLOGY_HOST ? "the host" : topology->vms[here].name, connection->name);
            break;
        }
    }
}

/* Whether QEMU takes an end by arguments with a path: those of ivshmem have it as it is. */
static bool is_in_json(const struct topology *topology, int vm)
{
    return vm >= 0 && topology->vms[vm].vmm == VMM_QEMU && topology->vms[vm].door == CROSSVM_DOOR_VFIO_USER;
}

/* An address holds a short path only. */
static void check_sockets(const struct topology *topology, const char *socket_dir, const struct part *part,
                          size_t connection)
{
    char path[PATH_MAX];

    for (int end = 0; end < 2; end++) {
        if (!topology_socket(topology, connection, end, socket_dir, path))
            part_error(part, "the path %s is too long for a socket; choose shorter names, or another --socket-dir",
                       path);
        else if (is_in_json(topology, topology->connections[connection].ends[end]) && !vmm_device_can_have(path))
            part_error(part, "the path %s is not UTF-8, as QEMU wants it; choose another --socket-dir", path);
    }
}

static void read_connection(struct topology *topology, const char *socket_dir, const struct part *part)
{
    static const char *const keys[] = {"name", "ends", "dataports", "base_block_only", NULL};
    struct topology_connection *connection = &topology->connections[topology->num_connections];
    struct part value;

    *connection = (struct topology_connection){0};
    if (!part_check_mapping(part, keys))
        return;
    connection->name = read_name(part);
    if (!read_ends(topology, part, connection->ends)) {
        free(connection->name);
        connection->name = NULL;
        return;
    }
    if (part_find(part, "dataports", &value))
        read_dataports(topology, &value, connection);
    if (part_find(part, "base_block_only", &value))
        read_base_block_only(topology, &value, connection);
    put_host_last(connection);
    if (connection->name) {
        check_connection_name(topology, part, connection);
        check_sockets(topology, socket_dir, part, topology->num_connections);
    }
    topology->num_connections++;
}

/* --- room --- */

/* The registers, and the pages in which a peer and the guest count (docs/device.md, section 3). */
static uint64_t event_bar_bytes(const struct topology_connection *connection)
{
    if (connection->base_block_only)
        return CROSSVM_PAGE_SIZE;
    return connection_is_between_vms(connection) ? bar_bytes(3 * CROSSVM_PAGE_SIZE) : 2 * CROSSVM_PAGE_SIZE;
}

/* BARs are laid out the largest first, which leaves no gaps. */
static void check_room(const struct topology *topology, size_t vm, const struct part *list)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < topology->num_connections; i++) {
        const struct topology_connection *connection = &topology->connections[i];

        if (connection_end_of(connection, vm) < 0)
            continue;
        bytes += event_bar_bytes(connection);
        for (size_t k = 0; k < connection->num_dataports; k++)
            bytes += bar_bytes(connection->dataports[k].size);
    }
    if (bytes > VM_BAR_BYTES)
        part_error(list,
                   "the connections of VM %s take %llu KiB, and there are %llu MiB; a dataport takes the next power of "
                   "two",
                   topology->vms[vm].name, (unsigned long long)bytes >> 10, (unsigned long long)(VM_BAR_BYTES / MIB));
}

/* --- all together --- */

void topology_read_connections(struct topology *topology, const char *socket_dir, const struct part *list)
{
    size_t n;

    if (!part_check_list(list))
        return;
    n = part_count(list);
    if (n > TOPOLOGY_MAX_CONNECTIONS) {
        part_error(list, "%zu connections are more than %d", n, TOPOLOGY_MAX_CONNECTIONS);
        return;
    }
    topology->connections = calloc(n ? n : 1, sizeof(*topology->connections));
    if (!topology->connections)
        no_memory();
    for (size_t i = 0; i < n; i++) {
        struct part item = part_item(list, i);

        read_connection(topology, socket_dir, &item);
    }
    for (size_t i = 0; i < topology->num_vms && list->document->errors == 0; i++) {
        if (topology->vms[i].vmm == VMM_CROSSVM_VM)
            check_room(topology, i, list);
    }
}
