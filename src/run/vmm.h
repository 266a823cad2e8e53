/* SPDX-License-Identifier: BSD-2-Clause */
/* What each VMM has to be told of a VM: the first argument is the program. All return 0, or -1 after a message. */
#pragma once

#include "vm_command.h"

/** crossvm-vm, which is looked for beside this program. */
#define VMM_CROSSVM_VM_PROGRAM "crossvm-vm"

int vmm_crossvm_vm_arguments(struct vm_command *command, const struct topology_vm *vm, const struct vmm_socket *sockets,
                             size_t num_sockets, const struct vm_command_options *options);

/** QEMU, with KVM where it is. Its console is the standard input and output. */
int vmm_qemu_arguments(struct vm_command *command, const struct topology_vm *vm, const struct vmm_socket *sockets,
                       size_t num_sockets);
