/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupt lines: inputs of the VM's interrupt controller, and the connections that raise them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <sel4vm/guest_vm.h>

#include <crossvm/vmm.h>

#include "guest.h"

/** An interrupt line. Connections with the same number share it. */
struct irq_line {
    struct irq_line *next;
    struct guest *guest;
    vm_vcpu_t *vcpu;             /**< that gets the interrupts */
    crossvm_connection_t *users; /**< linked by next_on_line */
    int irq;
    bool registered; /**< with the VM; if not, the number is allocated and unused */
    bool refused;    /**< by the VM: never to be used */
    /**
     * Injected, and the guest has not ended it. Interrupt controllers drop or delay an injection meanwhile, so the
     * acknowledgement looks for events that came since.
     */
    bool in_service;
    bool again; /**< a user has its own `again` set: to be raised when an interrupt ends */
};

/** The line of that number; made if it is new. NULL: no memory. */
struct irq_line *cvmm_irq_line_get(struct guest *guest, int irq);

/** Registers a line with the VM unless it is registered. 0, or -1 when the VM refuses the number. */
int cvmm_irq_line_register(struct irq_line *line);

/** Sets `again`. */
static inline void cvmm_irq_line_set_again(struct irq_line *line, bool again)
{
    line->guest->lines_again += (unsigned int)again - (unsigned int)line->again;
    line->again = again;
}

/** Raises all lines that have `again` set and are not in service. Must not be called from an acknowledgement. */
void cvmm_irq_lines_raise_again(struct guest *guest);

/** Forgets, for a guest that starts anew, what was in service and what was to be raised again. */
void cvmm_irq_lines_reset(struct guest *guest);

/** Lets a connection use a registered line. */
void cvmm_irq_line_join(struct irq_line *line, crossvm_connection_t *connection);

/** Undoes cvmm_irq_line_join(). No effect on a connection without a line. */
void cvmm_irq_line_leave(crossvm_connection_t *connection);

/** How many connections use a line. */
size_t cvmm_irq_line_users(const struct irq_line *line);

/** Frees all lines of a guest without connections. */
void cvmm_irq_lines_free(struct guest *guest);
