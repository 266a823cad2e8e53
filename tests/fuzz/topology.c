/* SPDX-License-Identifier: BSD-2-Clause */
/* Topologies: any text is refused with a sentence, or describes what can be made. */
#include "fuzz.h"

#include <fcntl.h>

#include "../../src/common/name.h"
#include "../../src/common/vm_limits.h"
#include "../../src/run/topology_hub.h"
#include "folder.h"

#define SOCKET_DIR "/run/crossvm"

static const char *write_file(const char *name, const void *text, size_t size)
{
    const char *path = folder_path(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    REQUIRE(fd >= 0 && write(fd, text, size) == (ssize_t)size);
    close(fd);
    return path;
}

static void check_vm(const struct topology_vm *vm)
{
    REQUIRE(name_is_valid(vm->name));
    REQUIRE(vm->vcpus >= 1 && vm->memory % 0x100000 == 0 && vm->memory);
    REQUIRE(!vm->command_line || strlen(vm->command_line) <= VM_MAX_COMMAND_LINE);
    REQUIRE((vm->console == CONSOLE_STDIO) == !vm->console_path);
    REQUIRE(vm->vmm != VMM_CROSSVM_VM || (vm->kernel && vm->vcpus <= VM_MAX_VCPUS && vm->memory <= VM_MAX_MEMORY));
    REQUIRE((vm->vmm == VMM_CROSSVM_VM) <= (vm->door == CROSSVM_DOOR_CROSSVM_VM));
    REQUIRE((vm->vmm == VMM_QEMU) <= (vm->door != CROSSVM_DOOR_CROSSVM_VM));
}

static void check_connection(const struct topology *topology, size_t i)
{
    const struct topology_connection *connection = &topology->connections[i];
    struct hub_connection_config config;
    char path[PATH_MAX];

    REQUIRE(name_is_valid(connection->name));
    REQUIRE(connection->num_dataports <= CROSSVM_MAX_DATAPORTS);
    REQUIRE(connection->ends[0] >= 0 && connection->ends[0] != connection->ends[1]);
    for (int end = 0; end < 2; end++) {
        REQUIRE(connection->ends[end] == TOPOLOGY_HOST || (size_t)connection->ends[end] < topology->num_vms);
        REQUIRE(topology_socket(topology, i, end, SOCKET_DIR, path));
    }
    for (size_t k = 0; k < connection->num_dataports; k++) {
        const struct dataport_spec *dataport = &connection->dataports[k];

        REQUIRE(dataport->size && dataport->size % CROSSVM_PAGE_SIZE == 0);
        REQUIRE(dataport->writer >= WRITER_BOTH && dataport->writer <= 1);
    }
    topology_describe(topology, i, &config);
    REQUIRE(config.ends[0].door != CROSSVM_DOOR_UNKNOWN && config.ends[1].door != CROSSVM_DOOR_UNKNOWN);
    for (size_t k = 0; k < i; k++) {
        const struct topology_connection *other = &topology->connections[k];

        REQUIRE(strcmp(other->name, connection->name) != 0 ||
                (other->ends[0] != connection->ends[0] && other->ends[0] != connection->ends[1] &&
                 other->ends[1] != connection->ends[0] && other->ends[1] != connection->ends[1]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct topology topology;
    char *said = NULL;
    size_t length;
    FILE *own = stderr;
    const char *file;

    (void)write_file("kernel", "", 0);
    file = write_file("x.yaml", data, size);
    stderr = open_memstream(&said, &length);
    REQUIRE(stderr);
    if (topology_load(&topology, file, SOCKET_DIR) == 0) {
        REQUIRE(fflush(stderr) == 0 && length == 0);
        REQUIRE(topology.num_vms && topology.num_vms <= TOPOLOGY_MAX_VMS);
        for (size_t i = 0; i < topology.num_vms; i++)
            check_vm(&topology.vms[i]);
        for (size_t i = 0; i < topology.num_connections; i++)
            check_connection(&topology, i);
        (void)topology_hub_descriptors(&topology);
        topology_free(&topology);
    } else {
        /* A line for each fault, each with the file's name */
        REQUIRE(fflush(stderr) == 0 && length > strlen(file) && said[length - 1] == '\n');
        REQUIRE(strncmp(said, file, strlen(file)) == 0);
    }
    fclose(stderr);
    free(said);
    stderr = own;
    return 0;
}
