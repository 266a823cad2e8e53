/* SPDX-License-Identifier: BSD-2-Clause */
#include "vm_command.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/message.h"
#include "vmm.h"

/* --- the command line --- */

int vm_command_add(struct vm_command *command, const char *format, ...)
{
    char **arguments = reallocarray(command->arguments, command->num_arguments + 2, sizeof(char *));
    va_list values;
    int length = -1;

    if (arguments) {
        command->arguments = arguments;
        va_start(values, format);
        length = vasprintf(&arguments[command->num_arguments], format, values);
        va_end(values);
    }
    if (length < 0) {
        message("no memory for a command line");
        return -1;
    }
    arguments[++command->num_arguments] = NULL;
    return 0;
}

int vm_command_make(struct vm_command *command, const struct topology_vm *vm, const struct vmm_socket *sockets,
                    size_t num_sockets, const struct vm_command_options *options)
{
    *command = (struct vm_command){0};
    if (vm->vmm == VMM_QEMU)
        return vmm_qemu_arguments(command, vm, sockets, num_sockets);
    return vmm_crossvm_vm_arguments(command, vm, sockets, num_sockets, options);
}

void vm_command_free(struct vm_command *command)
{
    for (size_t i = 0; i < command->num_arguments; i++)
        free(command->arguments[i]);
    free(command->arguments);
    *command = (struct vm_command){0};
}

/* --- the program --- */

/* The path of the program beside this one. False when it is not there. */
static bool find_beside(char path[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
    char *slash;

    if (length < 0)
        return false;
    path[length] = '\0';
    slash = strrchr(path, '/');
    if (!slash || (size_t)(slash + 1 - path) + sizeof(VMM_CROSSVM_VM_PROGRAM) > PATH_MAX)
        return false;
    memcpy(slash + 1, VMM_CROSSVM_VM_PROGRAM, sizeof(VMM_CROSSVM_VM_PROGRAM));
    return access(path, X_OK) == 0;
}

/* Other threads may hold the locks of streams: the message goes to the descriptor. */
void vm_command_execute(const struct vm_command *command)
{
    const char *program = command->arguments[0];
    bool ours = strcmp(program, VMM_CROSSVM_VM_PROGRAM) == 0;
    char path[PATH_MAX];

    if (ours && find_beside(path))
        (void)execv(path, command->arguments);
    else
        (void)execvp(program, command->arguments);
    (void)dprintf(STDERR_FILENO, "cannot run %s: %s; it must be %sin PATH%s\n", program, strerror(errno),
                  ours ? "beside crossvm, or " : "", ours ? "" : ", or `program` must be its path");
    _exit(VM_COMMAND_NOT_FOUND);
}
