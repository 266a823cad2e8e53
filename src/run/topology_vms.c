/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMs of a topology. */
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "../common/size.h"
#include "../common/vm_limits.h"
#include "topology_read.h"
#include "value.h"

#define MIN_MEMORY (16 * MIB)
#define DEFAULT_MEMORY (256 * MIB)
#define QEMU_MAX_MEMORY ((uint64_t)1 << 44)
#define QEMU_MAX_VCPUS 1024
#define MIN_CONSOLE_SIZE (MIB / 16)
#define MAX_CONSOLE_SIZE ((uint64_t)1 << 40)
#define DEFAULT_CONSOLE_SIZE (16 * MIB)

static void read_console(const char *folder, const struct part *part, struct topology_vm *vm)
{
    static const char *const keys[] = {"file", "max_size", "socket", NULL};
    struct part path, size;
    bool is_file, is_socket;

    if (part_is_text(part)) {
        const char *text = part_text(part);

        if (text && strcmp(text, "stdio") != 0)
            part_error(part, "\"%s\" is not stdio, nor has it one of the keys file and socket", text);
        return;
    }
    if (!part_check_mapping(part, keys))
        return;
    is_socket = part_find(part, "socket", &path);
    is_file = part_find(part, "file", &path);
    if (is_file == is_socket) {
        part_error(part, "this must be stdio, or have one of the keys file and socket");
        return;
    }
    if (part_find(part, "max_size", &size)) {
        if (is_socket)
            part_error(&size, "a console at a socket has no size; leave it out");
        else
            read_size(&size, CROSSVM_PAGE_SIZE, MIN_CONSOLE_SIZE, MAX_CONSOLE_SIZE, &vm->console_max_size);
    }
    vm->console = is_file ? CONSOLE_FILE : CONSOLE_SOCKET;
    (void)part_find(part, is_file ? "file" : "socket", &path);
    vm->console_path = read_path(folder, &path);
    if (is_socket && vm->console_path && strlen(vm->console_path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        part_error(&path, "%s is too long for a socket; choose a shorter path", vm->console_path);
}

static void read_command_line(const struct part *part, struct topology_vm *vm)
{
    const char *text = part_text_or_none(part);

    if (text && strlen(text) > VM_MAX_COMMAND_LINE)
        part_error(part, "this has %zu bytes, and at most %d fit", strlen(text), VM_MAX_COMMAND_LINE);
    else if (text)
        vm->command_line = copy_text(text);
}

static void read_user(const struct part *part, struct topology_vm *vm)
{
    const char *text = part_text(part);

    if (text && geteuid() != 0)
        part_error(part, "only root can start VMs as another user; leave it out");
    else if (text)
        vm->user = copy_text(text);
}

static void read_vcpus(const struct part *part, struct topology_vm *vm)
{
    const int most = vm->vmm == VMM_CROSSVM_VM ? VM_MAX_VCPUS : QEMU_MAX_VCPUS;
    const char *text = part_text(part);
    uint64_t number = 0;

    if (!text)
        return;
    if (!number_parse(text, NULL, &number) || number < 1 || number > (uint64_t)most)
        part_error(part, "\"%s\" is not a number from 1 to %d", text, most);
    vm->vcpus = (unsigned int)number;
}

static void read_restart(const struct part *part, struct topology_vm *vm)
{
    static const char *const words[] = {
        [RESTART_NEVER] = "never", [RESTART_ON_FAILURE] = "on-failure", [RESTART_ALWAYS] = "always", NULL};
    int word = read_word(part, words);

    if (word >= 0)
        vm->restart = (enum restart_policy)word;
}

static void check_vm_name(const struct topology *topology, const struct part *part, const struct topology_vm *vm)
{
    if (!vm->name)
        return;
    if (strcmp(vm->name, TOPOLOGY_HOST_NAME) == 0)
        part_error(part, "no VM can have the name \"%s\", which means the host", TOPOLOGY_HOST_NAME);
    if (strcmp(vm->name, TOPOLOGY_BOTH_NAME) == 0)
        part_error(part, "no VM can have the name \"%s\", which means both ends", TOPOLOGY_BOTH_NAME);
    for (size_t i = 0; i < topology->num_vms; i++) {
        if (topology->vms[i].name && strcmp(topology->vms[i].name, vm->name) == 0)
            part_error(part, "the name \"%s\" is another VM's; choose one for each", vm->name);
    }
}

/* --- VMMs --- */

static void read_vmm(const struct part *part, struct topology_vm *vm)
{
    static const char *const words[] = {
        [VMM_CROSSVM_VM] = "crossvm-vm", [VMM_QEMU] = "qemu", [VMM_EXTERNAL] = "external", NULL};
    int word = read_word(part, words);

    if (word >= 0)
        vm->vmm = (enum vmm)word;
    if (vm->vmm != VMM_CROSSVM_VM)
        vm->door = CROSSVM_DOOR_VFIO_USER;
}

static void read_door(const struct part *part, struct topology_vm *vm)
{
    static const char *const words[] = {"vfio-user", "ivshmem", "crossvm-vm", NULL};
    static const enum crossvm_door doors[] = {CROSSVM_DOOR_VFIO_USER, CROSSVM_DOOR_IVSHMEM, CROSSVM_DOOR_CROSSVM_VM};
    int word = read_word(part, words);

    if (word >= 0)
        vm->door = doors[word];
    if (vm->vmm == VMM_QEMU && vm->door == CROSSVM_DOOR_CROSSVM_VM)
        part_error(part, "QEMU has no such door; choose vfio-user or ivshmem");
}

static void read_arguments(const struct part *list, struct topology_vm *vm)
{
    size_t n;

    if (!part_check_list(list))
        return;
    n = part_count(list);
    vm->arguments = calloc(n + 1, sizeof(char *));
    if (!vm->arguments)
        no_memory();
    for (size_t i = 0; i < n; i++) {
        struct part item = part_item(list, i);
        const char *text = part_text_or_none(&item);

        if (text)
            vm->arguments[vm->num_arguments++] = copy_text(text);
    }
}

/* The program: a name to look for in PATH, or a path. */
static void read_program(const char *folder, const struct part *part, struct topology_vm *vm)
{
    const char *text = part_text(part);

    if (text)
        vm->program = strchr(text, '/') ? read_path(folder, part) : copy_text(text);
}

/* What QEMU takes only together with a kernel. It would not say so of the command line, which then never gets there. */
static void check_kernel(const struct part *part)
{
    static const char *const keys[] = {"initramfs", "command_line"};
    struct part value;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (part_find(part, keys[i], &value))
            part_error(&value, "there is no kernel for it; give `kernel`, too, or leave this out");
    }
}

static void read_vm(struct topology *topology, const char *folder, const struct part *part)
{
    static const char *const keys_of_crossvm_vm[] = {
        "name", "vmm", "kernel", "initramfs", "command_line", "user", "memory", "vcpus", "console", "restart", NULL};
    static const char *const keys_of_qemu[] = {"name",      "vmm",          "door",   "program", "arguments", "kernel",
                                               "initramfs", "command_line", "memory", "vcpus",   "console",   "restart",
                                               NULL};
    static const char *const keys_of_external[] = {"name", "vmm", "door", NULL};
    static const char *const *const keys[] = {
        [VMM_CROSSVM_VM] = keys_of_crossvm_vm, [VMM_QEMU] = keys_of_qemu, [VMM_EXTERNAL] = keys_of_external};
    struct topology_vm *vm = &topology->vms[topology->num_vms];
    struct part value;

    *vm = (struct topology_vm){.door = CROSSVM_DOOR_CROSSVM_VM,
                               .memory = DEFAULT_MEMORY,
                               .vcpus = 1,
                               .console_max_size = DEFAULT_CONSOLE_SIZE};
    if (part_is_mapping(part) && part_find(part, "vmm", &value))
        read_vmm(&value, vm);
    if (!part_check_mapping(part, keys[vm->vmm]))
        return;
    vm->name = read_name(part);
    check_vm_name(topology, part, vm);
    topology->num_vms++;
    if (part_find(part, "door", &value))
        read_door(&value, vm);
    if (part_find(part, "program", &value))
        read_program(folder, &value, vm);
    if (part_find(part, "arguments", &value))
        read_arguments(&value, vm);
    if (vm->vmm == VMM_CROSSVM_VM ? part_require(part, "kernel", &value) : part_find(part, "kernel", &value))
        vm->kernel = read_input(folder, &value);
    else if (vm->vmm == VMM_QEMU)
        check_kernel(part);
    if (part_find(part, "initramfs", &value))
        vm->initramfs = read_input(folder, &value);
    if (part_find(part, "command_line", &value))
        read_command_line(&value, vm);
    if (part_find(part, "user", &value))
        read_user(&value, vm);
    if (part_find(part, "memory", &value))
        read_size(&value, MIB, MIN_MEMORY, vm->vmm == VMM_CROSSVM_VM ? VM_MAX_MEMORY : QEMU_MAX_MEMORY, &vm->memory);
    if (part_find(part, "vcpus", &value))
        read_vcpus(&value, vm);
    if (part_find(part, "console", &value))
        read_console(folder, &value, vm);
    if (part_find(part, "restart", &value))
        read_restart(&value, vm);
}

void topology_read_vms(struct topology *topology, const char *folder, const struct part *list)
{
    size_t n;

    if (!part_check_list(list))
        return;
    n = part_count(list);
    if (n == 0)
        part_error(list, "there is no VM; give at least one");
    if (n > TOPOLOGY_MAX_VMS)
        part_error(list, "%zu VMs are more than %d", n, TOPOLOGY_MAX_VMS);
    for (size_t i = 0; i < n && i < TOPOLOGY_MAX_VMS; i++) {
        struct part item = part_item(list, i);

        read_vm(topology, folder, &item);
    }
}
