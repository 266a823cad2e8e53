/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the module keeps for each VM: its connections, interrupt lines and event page frames.
 *
 * libsel4vm can neither unregister an interrupt nor give back a frame that it allocated for the guest. Both therefore
 * belong to the guest, not to a connection, and serve the next connection when theirs is removed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

#include <crossvm/vmm.h>

struct guest;

/** An input of the VM's interrupt controller, shared by connections that have the same number. */
struct line {
    struct line *next;
    struct guest *guest;
    vm_vcpu_t *vcpu;             /**< that gets the interrupts */
    crossvm_connection_t *users; /**< linked by next_on_line */
    int irq;
    bool registered; /**< with the VM; else only a number that was allocated and waits for use */
    bool refused;    /**< by the VM: never to be used */
    /**
     * Injected, and the guest has not ended it. Interrupt controllers drop or delay what is injected meanwhile, so the
     * acknowledgement looks for events that came since.
     */
    bool in_service;
    bool again; /**< some user has its own again set: to be raised when an interrupt ends */
};

/** A guest page of registers, at a fixed address: of a connection, or spare. */
struct event_frame {
    struct event_frame *next;
    uintptr_t address;                /**< guest physical */
    void *mapping;                    /**< libsel4vm's, for the VMM: uncached on some machines */
    void *memory;                     /**< the same frame cached, as guests map it; NULL: not yet */
    crossvm_connection_t *connection; /**< NULL: spare; the guest's stores have no effect */
};

/** A VM with connections. */
struct guest {
    struct guest *next;
    vm_t *vm;
    crossvm_connection_t *connections; /**< in the order of installation */
    struct line *lines;
    unsigned int lines_again; /**< how many of these have again set */
    struct event_frame *frames;
    bool limits_told; /**< the log has what this VM's platform cannot do */
};

/** The state of a VM, or NULL. */
struct guest *guest_find(const vm_t *vm);

/** The state of a VM, made when there is none. NULL: no memory. */
struct guest *guest_get(vm_t *vm);

/** Frees the state of a VM that has nothing left. */
void guest_put(struct guest *guest);

/** Frees lines and frames too, once the VM has no connections. */
void guest_forget(struct guest *guest);

/** The line of that number, made when it is new. NULL: no memory. */
struct line *line_get(struct guest *guest, int irq);

/** Registers a line with the VM when it is not yet. 0, or -1 when the VM refuses the number. */
int line_register(struct line *line);

/** Sets again. */
static inline void line_set_again(struct line *line, bool again)
{
    line->guest->lines_again += (unsigned int)again - (unsigned int)line->again;
    line->again = again;
}

/** Raises all lines that have again set and are not in service. Not to be called from an acknowledgement. */
void lines_raise_again(struct guest *guest);

/** Lets a connection use a registered line. */
void line_join(struct line *line, crossvm_connection_t *connection);

/** The opposite of it; no effect on a connection without a line. */
void line_leave(crossvm_connection_t *connection);

/** How many connections use it. */
size_t line_users(const struct line *line);

/** The event page at a guest physical address, made when it is new; spare. NULL: no memory, or the address is taken. */
struct event_frame *event_frame_get(struct guest *guest, uintptr_t address);
