/* SPDX-License-Identifier: BSD-2-Clause */
/* Command bridge: a program of its own, since it needs a library that only some have. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

#define PROGRAM "crossvm-bridge"

/* Beside this program, wherever that is. */
static void run_beside(char **argv)
{
    char path[PATH_MAX + sizeof(PROGRAM)];
    const ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    char *slash;

    if (length <= 0)
        return;
    path[length] = '\0';
    slash = strrchr(path, '/');
    (void)snprintf(slash + 1, sizeof(PROGRAM), PROGRAM);
    (void)execv(path, argv);
}

int cmd_bridge(int argc, char **argv)
{
    (void)argc;
    run_beside(argv);
    (void)execvp(PROGRAM, argv);
    if (errno == ENOENT)
        message("the program " PROGRAM " is not installed: it is in the package crossvm-bridge, or is built where the "
                "NATS library is (libnats-dev)");
    else
        message("cannot start " PROGRAM ": %s", error_reason(errno));
    return STATUS_ERROR;
}
