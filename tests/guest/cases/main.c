/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program of the guests in the scenarios device, smp, many and pair. Started by /init; the kernel's command line
 * says which scenario guest-vmm runs.
 */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "../harness/case.h"
#include "cases.h"
#include "device.h"
#include "platform.h"
#include "system.h"
#include "vmm.h"

static char scenario[32];

/* The second VM of a scenario has verdicts of its own: SCENARIO2. */
static void read_command_line(void)
{
    const char *text = strstr(read_text("/proc/cmdline"), "crossvm.scenario=");
    char name[16] = "none";
    int vm = 0;
    int msi = 0;

    if (text)
        (void)sscanf(text, "crossvm.scenario=%15s crossvm.vm=%d crossvm.msi=%d", name, &vm, &msi);
    has_msi = msi;
    if (vm)
        (void)snprintf(scenario, sizeof(scenario), "%s%d", name, vm + 1);
    else
        (void)snprintf(scenario, sizeof(scenario), "%s", name);
}

static void connect_to_the_vmm(void)
{
    find_devices();
    control_open();
}

static void run_cases(void)
{
    if (strcmp(scenario, "device") == 0 || strcmp(scenario, "smp") == 0) {
        pci_cases();
        register_cases();
        early_cases();
        driver_cases();
        event_cases();
        hibernation_cases();
        other_driver_cases();
        hotplug_cases();
    } else if (strcmp(scenario, "many") == 0) {
        many_cases();
    } else if (strncmp(scenario, "pair", 4) == 0) {
        pair_cases();
    }
}

int main(void)
{
    int status;

    read_command_line();
    platform_open();
    cases_start(scenario);
    RUN(connect_to_the_vmm);
    if (!cases_failed())
        run_cases();
    status = cases_end();
    (void)tcdrain(STDOUT_FILENO); /* the exit ends the VM at once */
    platform_exit(status);
}
