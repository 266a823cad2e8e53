/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMM's part: it installs the connections of protocol.h into a guest.
 *
 * A VMM calls vmm_add_connections() after vm_init(), vm_create_default_irq_controller(), the creation of the boot vCPU
 * and vmm_pci_init(), and before it loads the guest. Then it gives the frames to the components, starts them and the
 * guest, and calls vmm_run().
 */
#pragma once

#include <stdbool.h>

#include <sel4/sel4.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>

#include "protocol.h"

/** What the VMM signals: a component's notification each, with the badge of protocol.h. */
struct vmm_doorbells {
    seL4_CPtr echo;    /**< with BADGE_GUEST_ECHO */
    seL4_CPtr text;    /**< with BADGE_GUEST_TEXT */
    seL4_CPtr samples; /**< with BADGE_GUEST_SAMPLES */
};

/** What the VMM must give the components: capabilities to the shared frames, to be mapped in order, cacheable. */
struct vmm_shared {
    seL4_CPtr echo[ECHO_FRAMES];
    seL4_CPtr text[TEXT_FRAMES];
    seL4_CPtr samples[SAMPLES_FRAMES];
};

enum vmm_component { VMM_ECHO, VMM_SAMPLES };

/**
 * Installs the connections.
 *
 * @param fdt, gic as platform_describe_pci() has it
 * @param shared   receives the frames
 * @return 0 or -1; the log says why
 */
int vmm_add_connections(vm_t *vm, vmm_pci_space_t *pci, const struct vmm_doorbells *doorbells, void *fdt, int gic,
                        struct vmm_shared *shared);

/**
 * Tells the guest that a component runs (true) or does not. Whoever starts components calls it, in the VMM's thread.
 * One that is killed and started again is told of twice: programs in the guest learn that their peer is another one,
 * and their channels begin anew.
 */
void vmm_component_runs(enum vmm_component component, bool runs);

/** Runs the guest until it cannot go on. */
void vmm_run(vm_t *vm);
