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
    int irq;
    bool registered; /**< with the VM; else only a number that was allocated and waits for use */
    bool refused;    /**< by the VM: never to be used */
    /**
     * Injected, and the guest has not ended it. Interrupt controllers drop or delay what is injected meanwhile, so the
     * acknowledgement looks for events that came since.
     */
    bool in_service;
};

/** A guest page of registers, at a fixed address: of a connection, or spare. */
struct event_frame {
    struct event_frame *next;
    uintptr_t address;                /**< guest physical */
    void *memory;                     /**< the VMM's mapping */
    crossvm_connection_t *connection; /**< NULL: spare; the guest's stores have no effect */
};

/** A VM with connections. */
struct guest {
    struct guest *next;
    vm_t *vm;
    crossvm_connection_t *connections; /**< in the order of installation */
    struct line *lines;
    struct event_frame *frames;
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

/** How many connections use it. */
size_t line_users(const struct line *line);

/** Raises the interrupt of a connection on its line, now or when the guest ends the one in service. */
void line_raise(struct line *line, crossvm_connection_t *connection);

/** A new event page at a guest physical address; spare. NULL: no memory, or the address is taken. */
struct event_frame *event_frame_create(struct guest *guest, uintptr_t address);

/** The event page at that address, or NULL. */
struct event_frame *event_frame_find(struct guest *guest, uintptr_t address);
