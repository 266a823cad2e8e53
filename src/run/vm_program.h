/* SPDX-License-Identifier: BSD-2-Clause */
/* crossvm-vm, the program that runs one VM: where it is, and its command line for a VM of a topology. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "topology.h"

/** The exit status when the program is not there, as shells have it. */
#define VM_PROGRAM_NOT_FOUND 127

/** Options that all VMs get. */
struct vm_program_options {
    const char *socket_dir;
    bool stats;
    bool dump; /**< show the devices instead of running */
    bool json; /**< ... as JSON */
};

/** A command line. */
struct vm_command {
    char **arguments; /**< ends with NULL */
    size_t num_arguments;
};

/**
 * Makes the command line of a VM.
 *
 * @param joins what to name with --join, one for each of its connections
 * @return 0, or -1 after a message; vm_command_free() frees, also after a failure
 */
int vm_command_make(struct vm_command *command, const struct topology_vm *vm, char *const *joins, size_t num_joins,
                    const struct vm_program_options *options);

void vm_command_free(struct vm_command *command);

/** In a new process: becomes the program, or ends with status VM_PROGRAM_NOT_FOUND after a message. */
__attribute__((noreturn)) void vm_command_execute(const struct vm_command *command);
