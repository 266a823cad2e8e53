/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMM's part: it installs the connections of protocol.h into a guest.
 *
 * A VMM calls vmm_add_connections() after vm_init(), vm_create_default_irq_controller(), the creation of the boot vCPU
 * and vmm_pci_init(), and before it loads the guest. Then it gives the frames to the component, starts the guest, and
 * calls vmm_run().
 */
#pragma once

#include <stdbool.h>

#include <sel4/sel4.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>

#include "protocol.h"

/** What the VMM must give the component: capabilities to the shared frames, to be mapped in order. */
struct vmm_shared {
    seL4_CPtr console[CONSOLE_FRAMES];
    seL4_CPtr commands[COMMAND_FRAMES];
    seL4_CPtr samples[SAMPLE_FRAMES];
};

/**
 * Installs the connections.
 *
 * @param console_doorbell capability to the component's notification with badge BADGE_GUEST_CONSOLE
 * @param sensor_doorbell  the same with BADGE_GUEST_SENSOR
 * @param fdt, gic     as platform_describe_pci() has it
 * @param shared       receives the frames
 * @return 0 or -1; the log says why
 */
int vmm_add_connections(vm_t *vm, vmm_pci_space_t *pci, seL4_CPtr console_doorbell, seL4_CPtr sensor_doorbell,
                        void *fdt, int gic, struct vmm_shared *shared);

/** Tells the guest that the component of "sensor" came (true) or went, for example after a restart. */
void vmm_component_is_there(bool there);

/** Runs the guest until it cannot go on. */
void vmm_run(vm_t *vm);
