/* SPDX-License-Identifier: BSD-2-Clause */
#include "dump.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/exit_status.h"
#include "../common/message.h"
#include "links.h"

/* Runs crossvm-vm with --dump for one VM. 0, or -1 after a message. */
static int dump_vm(const struct links *links, size_t vm, const struct vm_program_options *options)
{
    struct vm_command command;
    int status = 0;
    int error = vm_command_make(&command, links->topology, vm, links->of, options);

    if (!error) {
        pid_t pid = fork();

        if (pid == 0)
            vm_command_execute(&command);
        if (pid < 0)
            message("cannot start a process: %s", error_reason(errno));
        error = pid < 0 || waitpid(pid, &status, 0) != pid || status ? -1 : 0;
    }
    vm_command_free(&command);
    return error;
}

int topology_dump(const struct topology *topology, const struct vm_program_options *options)
{
    struct links links;
    int error = links_create(&links, topology);

    for (size_t i = 0; i < topology->num_vms && !error; i++) {
        if (options->json)
            printf(i ? ",\n" : "[");
        (void)fflush(stdout); /* before what the program prints */
        error = dump_vm(&links, i, options);
    }
    if (options->json)
        printf("]\n");
    links_destroy(&links);
    return error ? STATUS_ERROR : STATUS_OK;
}
