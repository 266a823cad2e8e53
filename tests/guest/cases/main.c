/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tests in the guest. Started by /init; the kernel's command line says which scenario the VMM runs.
 */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cases.h"
#include "harness.h"
#include "platform.h"

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

int main(void)
{
    read_command_line();
    platform_open();
    RUN(connect_to_the_vmm);
    if (!failed_cases && (strcmp(scenario, "device") == 0 || strcmp(scenario, "smp") == 0)) {
        pci_cases();
        register_cases();
        early_cases();
        driver_cases();
        event_cases();
        hibernation_cases();
        other_driver_cases();
        hotplug_cases();
    } else if (!failed_cases && strcmp(scenario, "many") == 0) {
        many_cases();
    } else if (!failed_cases && strncmp(scenario, "pair", 4) == 0) {
        pair_cases();
    }
    (void)printf("scenario %s: %d failed\n", scenario, failed_cases);
    (void)fflush(stdout);
    (void)tcdrain(STDOUT_FILENO); /* the exit ends the VM at once */
    platform_exit(failed_cases ? 1 : 0);
}
