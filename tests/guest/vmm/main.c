/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMM of the guest tests: one or several VMs in one process, each with the connections of a scenario. Prints the
 * guests' consoles; ends with status 0 if all guests ended with 0.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"

#define MAX_VMS 2

static struct machine machines[MAX_VMS];

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
    struct machine *machine = argument;

    machine->status = machine_run(machine);
    return NULL;
}

int main(int argc, char **argv)
{
    int vms = argc > 4 ? argc - 4 : 0;
    pthread_t consoles[MAX_VMS];
    int failed = 0;

    if (vms < 1 || vms > MAX_VMS) {
        (void)fprintf(stderr, "usage: guest-vmm KERNEL INITRD APPEND SCENARIO [SCENARIO]; scenarios:");
        scenario_list();
        return 2;
    }
    for (int i = 0; i < vms; i++) {
        const struct scenario *scenario = scenario_find(argv[4 + i]);
        char append[512];
        int console = console_create(&consoles[i]);

        (void)snprintf(append, sizeof(append), "%s crossvm.scenario=%s crossvm.vm=%d", argv[3], argv[4 + i], i);
        if (!scenario || console < 0 || machine_create(&machines[i], scenario, argv[1], argv[2], append, console)) {
            (void)fprintf(stderr, "guest-vmm: cannot make a VM of scenario %s\n", argv[4 + i]);
            return 2;
        }
    }
    for (int i = 0; i < vms; i++) {
        if (pthread_create(&machines[i].thread, NULL, run, &machines[i]))
            return 2;
    }
    for (int i = 0; i < vms; i++) {
        pthread_join(machines[i].thread, NULL);
        if (machines[i].status)
            (void)printf("guest-vmm: VM %d of scenario %s ended with status %d\n", i, argv[4 + i], machines[i].status);
        failed |= machines[i].status != 0;
    }
    for (int i = 0; i < vms; i++) {
        machine_destroy(&machines[i]);
        close(machines[i].console);
        pthread_join(consoles[i], NULL);
    }
    return failed;
}
