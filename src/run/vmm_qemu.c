/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm.h"

#include <stdlib.h>
#include <string.h>

/* What differs between QEMU's programs: they are named for what they emulate. */
struct target {
    const char *program;
    const char *machine;
    const char *console; /* of the machine's first serial port, for Linux */
};

static const struct target x86 = {"qemu-system-x86_64", "q35", "ttyS0"};
static const struct target arm64 = {"qemu-system-aarch64", "virt,gic-version=max", "ttyAMA0"};

static const struct target *target_of(const struct topology_vm *vm)
{
#if defined(__aarch64__)
    const struct target *own = &arm64;
#else
    const struct target *own = &x86;
#endif

    if (!vm->program)
        return own;
    return strstr(vm->program, "aarch64") ? &arm64 : &x86;
}

static int add_pair(struct vm_command *command, const char *option, const char *value)
{
    return vm_command_add(command, "%s", option) | vm_command_add(command, "%s", value);
}

/*
 * The guest's CPUs, memory and console. The user's own arguments come later, and so they win.
 *
 * There is always room for a second CPU. Without it, a QEMU without KVM runs locked instructions in pieces and leaves
 * out barriers, since no other CPU would see that. The other end of a connection does, and wake-ups are lost.
 */
static int add_machine(struct vm_command *command, const struct topology_vm *vm, const struct target *target)
{
    return vm_command_add(command, "%s", vm->program ? vm->program : target->program) |
           vm_command_add(command, "-name") | vm_command_add(command, "guest=%s", vm->name) |
           vm_command_add(command, "-machine") | vm_command_add(command, "%s,accel=kvm:tcg", target->machine) |
           add_pair(command, "-cpu", "max") | vm_command_add(command, "-m") |
           vm_command_add(command, "%lluM", (unsigned long long)vm->memory >> 20) | vm_command_add(command, "-smp") |
           vm_command_add(command, "%u,maxcpus=%u", vm->vcpus, vm->vcpus > 1 ? vm->vcpus : 2) |
           add_pair(command, "-display", "none") | add_pair(command, "-monitor", "none") |
           add_pair(command, "-serial", "stdio");
}

static int add_linux(struct vm_command *command, const struct topology_vm *vm, const struct target *target)
{
    int error = 0;

    if (vm->kernel)
        error |= add_pair(command, "-kernel", vm->kernel) | vm_command_add(command, "-append") |
                 vm_command_add(command, "console=%s %s", target->console, vm->command_line ? vm->command_line : "");
    if (vm->initramfs)
        error |= add_pair(command, "-initrd", vm->initramfs);
    return error;
}

/* Adds an option with a value that it frees. */
static int add_made(struct vm_command *command, const char *option, char *value)
{
    int error = value ? add_pair(command, option, value) : -1;

    free(value);
    return error;
}

int vmm_qemu_arguments(struct vm_command *command, const struct topology_vm *vm, const struct vmm_socket *sockets,
                       size_t num_sockets)
{
    const struct target *target = target_of(vm);
    int error = add_machine(command, vm, target) | add_linux(command, vm, target);

    for (size_t i = 0; i < num_sockets && !error; i++) {
        if (sockets[i].door == CROSSVM_DOOR_IVSHMEM)
            error |= add_made(command, "-chardev", vmm_device_chardev_text(&sockets[i]));
        error |= add_made(command, "-device", vmm_device_text(&sockets[i]));
    }
    for (size_t i = 0; i < vm->num_arguments; i++)
        error |= vm_command_add(command, "%s", vm->arguments[i]);
    return error ? -1 : 0;
}
