/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VMs that have connections.
 *
 * libsel4vm can neither unregister an interrupt nor take back a frame that it allocated for the guest. Interrupt lines
 * and event frames therefore belong to the guest, not to a connection: when a connection goes, the next one uses them.
 */
#pragma once

#include <stdbool.h>

#include <sel4vm/guest_vm.h>

#include <crossvm/vmm.h>

struct event_frame;
struct irq_line;

/** A VM with connections. */
struct guest {
    struct guest *next;
    vm_t *vm;
    crossvm_connection_t *connections; /**< in the order of installation */
    struct irq_line *lines;
    unsigned int lines_again; /**< how many of the lines have `again` set */
    struct event_frame *frames;
    bool limits_told; /**< the log has what this VM's platform cannot do */
};

/** The guest of a VM, or NULL. */
struct guest *cvmm_guest_find(const vm_t *vm);

/** The guest of a VM; made if there is none. NULL: no memory. */
struct guest *cvmm_guest_get(vm_t *vm);

/** Frees a guest that has no connections, lines and frames; otherwise does nothing. */
void cvmm_guest_put(struct guest *guest);

/** Frees a guest without connections, with its lines and frames. */
void cvmm_guest_forget(struct guest *guest);
