/* SPDX-License-Identifier: BSD-2-Clause */
#include "topology.h"

#include <libgen.h>
#include <stdlib.h>

#include "topology_read.h"
#include "value.h"

static void read_all(struct topology *topology, const char *folder, const char *socket_dir, const struct part *root)
{
    static const char *const keys[] = {"vms", "connections", NULL};
    struct part value;

    if (!part_check_mapping(root, keys))
        return;
    if (part_require(root, "vms", &value))
        topology_read_vms(topology, folder, &value);
    if (part_find(root, "connections", &value))
        topology_read_connections(topology, socket_dir, &value);
}

const char *topology_file_name(const char *file)
{
    return document_name(file);
}

int topology_load(struct topology *topology, const char *file, const char *socket_dir)
{
    char *name = copy_text(file); /* dirname() changes it */
    struct document document;
    unsigned int errors = 1;
    struct part root;

    *topology = (struct topology){0};
    if (document_load(&document, file) == 0) {
        root = document_root(&document);
        read_all(topology, dirname(name), socket_dir, &root);
        errors = document.errors;
        document_end_errors(&document);
        document_free(&document);
    }
    free(name);
    if (errors == 0)
        return 0;
    topology_free(topology);
    return -1;
}

void topology_free(struct topology *topology)
{
    for (size_t i = 0; i < topology->num_vms; i++) {
        struct topology_vm *vm = &topology->vms[i];

        for (size_t k = 0; k < vm->num_arguments; k++)
            free(vm->arguments[k]);
        free(vm->arguments);
        free(vm->program);
        free(vm->name);
        free(vm->kernel);
        free(vm->initramfs);
        free(vm->command_line);
        free(vm->user);
        free(vm->console_path);
    }
    for (size_t i = 0; i < topology->num_connections; i++)
        free(topology->connections[i].name);
    free(topology->connections);
    *topology = (struct topology){0};
}

bool connection_is_between_vms(const struct topology_connection *connection)
{
    return connection->ends[1] != TOPOLOGY_HOST;
}

int connection_end_of(const struct topology_connection *connection, size_t vm)
{
    for (int end = 0; end < 2; end++) {
        if (connection->ends[end] == (int)vm)
            return end;
    }
    return -1;
}
