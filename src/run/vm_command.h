/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line that starts the VMM of a VM of a topology. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "../qmp/vmm_device.h"
#include "topology.h"

/** The exit status when the program is not there, as shells have it. */
#define VM_COMMAND_NOT_FOUND 127

/** Options that all VMs get. */
struct vm_command_options {
    const char *socket_dir;
    bool stats;
    bool dump; /**< show the devices instead of running */
    bool json; /**< ... as JSON */
    bool no_sandbox;
};

struct vm_command {
    char **arguments; /**< ends with NULL */
    size_t num_arguments;
};

/**
 * Makes the command line of a VM.
 *
 * @param sockets at which it finds its ends; for crossvm-vm their paths may be numbers of descriptors
 * @return 0, or -1 after a message; vm_command_free() frees, also after a failure
 */
int vm_command_make(struct vm_command *command, const struct topology_vm *vm, const struct vmm_socket *sockets,
                    size_t num_sockets, const struct vm_command_options *options);

/** Adds an argument. 0, or -1 after a message. */
int vm_command_add(struct vm_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

void vm_command_free(struct vm_command *command);

/** In a new process: becomes the program, or ends with status VM_COMMAND_NOT_FOUND after a message. */
__attribute__((noreturn)) void vm_command_execute(const struct vm_command *command);
