/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMM of guest-cases: one or several VMs in one process, each with the connections of a scenario. Prints the
 * guests' consoles; ends with status 0 if all guests ended with 0.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test_vm.h"

#define MAX_VMS 2

static struct test_vm vms[MAX_VMS];

/* Passes a guest's console on in whole lines, so that those of two guests do not mix. */
static void *pass_lines(void *argument)
{
    FILE *console = argument;
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, console) > 0) {
        (void)fputs(line, stdout);
        (void)fflush(stdout);
    }
    free(line);
    (void)fclose(console);
    return NULL;
}

/* The descriptor for a guest to write its console to, or -1. */
static int console_create(pthread_t *thread)
{
    int ends[2];
    FILE *console;

    if (pipe(ends))
        return -1;
    console = fdopen(ends[0], "r");
    if (!console || pthread_create(thread, NULL, pass_lines, console))
        return -1;
    return ends[1];
}

static void *run(void *argument)
{
    struct test_vm *vm = argument;

    vm->status = test_vm_run(vm);
    return NULL;
}

int main(int argc, char **argv)
{
    int n = argc > 4 ? argc - 4 : 0;
    pthread_t consoles[MAX_VMS];
    int failed = 0;

    if (n < 1 || n > MAX_VMS) {
        (void)fprintf(stderr, "usage: guest-vmm KERNEL INITRAMFS COMMAND_LINE SCENARIO [SCENARIO]; scenarios:");
        scenario_list();
        return 2;
    }
    for (int i = 0; i < n; i++) {
        const struct scenario *scenario = scenario_find(argv[4 + i]);
        char command_line[512];
        int console = console_create(&consoles[i]);

        (void)snprintf(command_line, sizeof(command_line), "%s crossvm.scenario=%s crossvm.vm=%d", argv[3], argv[4 + i],
                       i);
        if (!scenario || console < 0 || test_vm_create(&vms[i], scenario, argv[1], argv[2], command_line, console)) {
            (void)fprintf(stderr, "guest-vmm: cannot make a VM of scenario %s\n", argv[4 + i]);
            return 2;
        }
    }
    for (int i = 0; i < n; i++) {
        if (pthread_create(&vms[i].thread, NULL, run, &vms[i]))
            return 2;
    }
    for (int i = 0; i < n; i++) {
        pthread_join(vms[i].thread, NULL);
        if (vms[i].status)
            (void)printf("guest-vmm: VM %d of scenario %s ended with status %d\n", i, argv[4 + i], vms[i].status);
        failed |= vms[i].status != 0;
    }
    for (int i = 0; i < n; i++) {
        test_vm_destroy(&vms[i]);
        close(vms[i].console);
        pthread_join(consoles[i], NULL);
    }
    return failed;
}
