/* SPDX-License-Identifier: BSD-2-Clause */
#include "vm_program.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/message.h"

#define PROGRAM "crossvm-vm"
#define FIXED_ARGUMENTS 13 /* more than there are without connections, with the NULL */

/* --- the command line --- */

static int add(struct vm_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int add(struct vm_command *command, const char *format, ...)
{
    char **argument = &command->arguments[command->num_arguments];
    va_list values;
    int length;

    va_start(values, format);
    length = vasprintf(argument, format, values);
    va_end(values);
    if (length < 0) {
        *argument = NULL;
        message("no memory for a command line");
        return -1;
    }
    command->num_arguments++;
    return 0;
}

static int add_vm(struct vm_command *command, const struct topology_vm *vm, const struct vm_program_options *options)
{
    int error = add(command, PROGRAM) | add(command, "--name=%s", vm->name) |
                add(command, "--memory=%lluM", (unsigned long long)vm->memory >> 20) |
                add(command, "--vcpus=%u", vm->vcpus) | add(command, "--kernel=%s", vm->kernel);

    if (vm->initramfs)
        error |= add(command, "--initramfs=%s", vm->initramfs);
    if (vm->command_line)
        error |= add(command, "--command-line=%s", vm->command_line);
    if (options->stats)
        error |= add(command, "--stats");
    if (options->dump)
        error |= add(command, "--dump");
    if (options->json)
        error |= add(command, "--json");
    return error;
}

int vm_command_make(struct vm_command *command, const struct topology_vm *vm, char *const *joins, size_t num_joins,
                    const struct vm_program_options *options)
{
    int error;

    *command = (struct vm_command){.arguments = calloc(FIXED_ARGUMENTS + num_joins, sizeof(char *))};
    if (!command->arguments) {
        message("no memory for a command line");
        return -1;
    }
    error = add_vm(command, vm, options);
    for (size_t i = 0; i < num_joins && !error; i++)
        error = add(command, "--join=%s", joins[i]);
    return error ? -1 : 0;
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
    if (!slash || (size_t)(slash + 1 - path) + sizeof(PROGRAM) > PATH_MAX)
        return false;
    memcpy(slash + 1, PROGRAM, sizeof(PROGRAM));
    return access(path, X_OK) == 0;
}

void vm_command_execute(const struct vm_command *command)
{
    char path[PATH_MAX];

    if (find_beside(path))
        (void)execv(path, command->arguments);
    else
        (void)execvp(PROGRAM, command->arguments);
    (void)fprintf(stderr, "cannot run " PROGRAM ": %s; it must be beside crossvm, or in PATH\n", strerror(errno));
    _exit(VM_PROGRAM_NOT_FOUND);
}
