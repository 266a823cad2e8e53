/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm.h"

int vmm_crossvm_vm_arguments(struct vm_command *command, const struct topology_vm *vm, const struct vmm_socket *sockets,
                             size_t num_sockets, const struct vm_command_options *options)
{
    int error = vm_command_add(command, VMM_CROSSVM_VM_PROGRAM) | vm_command_add(command, "--name=%s", vm->name) |
                vm_command_add(command, "--memory=%lluM", (unsigned long long)vm->memory >> 20) |
                vm_command_add(command, "--vcpus=%u", vm->vcpus) | vm_command_add(command, "--kernel=%s", vm->kernel);

    if (vm->initramfs)
        error |= vm_command_add(command, "--initramfs=%s", vm->initramfs);
    if (vm->command_line)
        error |= vm_command_add(command, "--command-line=%s", vm->command_line);
    if (vm->user)
        error |= vm_command_add(command, "--user=%s", vm->user);
    if (options->no_sandbox)
        error |= vm_command_add(command, "--no-sandbox");
    if (options->stats)
        error |= vm_command_add(command, "--stats");
    if (options->dump)
        error |= vm_command_add(command, "--dump");
    if (options->json)
        error |= vm_command_add(command, "--json");
    for (size_t i = 0; i < num_sockets; i++)
        error |= vm_command_add(command, "--join=%s", sockets[i].path);
    return error ? -1 : 0;
}
