/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cross-VM connections for a VMM: the full interface of the module in src/vmm.
 *
 * A VMM describes its connections and installs them as PCI functions of a guest. It tells the module of each event that
 * a peer emits, and the module calls it for each event that the guest emits.
 * sel4vmmplatsupport/drivers/cross_vm_connection.h is the short interface to the same module.
 *
 * Zero means default: a configuration of zeros, with its required members set, is a sensible one.
 *
 * Threads: the module takes no locks. A VMM must make all calls below, and run the guest's faults and PCI accesses, in
 * one thread at a time. A libsel4vm VMM does so by its nature; with libsel4vm on KVM, hold kvm_vmm_lock(). Only
 * crossvm_count() is different, see there.
 *
 * Callbacks: emit, emit_counted and driver_changed may call the module again, and may remove the connection that they
 * are called for, but no other. route_msi may only call crossvm_count() and crossvm_interrupt().
 *
 * Memory: the module copies what it is given. Configurations, names and arrays of frames need not outlive the call that
 * takes them; frames must outlive the connection. On seL4 a capability to a frame holds one mapping, and libsel4vm
 * deletes the capabilities that it mapped when a connection is removed or its installation fails: give copies, made for
 * that call.
 *
 * Errors: a call that can fail returns -1, as calls of libsel4vm do, and logs one line that says why.
 */
#ifndef CROSSVM_VMM_H
#define CROSSVM_VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4/sel4.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>

#include <crossvm/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An installed connection. Made by crossvm_install(), ended by crossvm_remove(). */
typedef struct crossvm_connection crossvm_connection_t;

/** Returns a free interrupt number of the VM's interrupt controller, or a negative number when there are no more. */
typedef int (*crossvm_alloc_irq_fn)(void);

/** An MSI, as the guest programmed it (PCI Local Bus Specification 3.0, section 6.8.1). */
typedef struct crossvm_msi {
    uint64_t address;   /**< bus address to which the message is written */
    uint32_t data;      /**< the message */
    uint32_t requester; /**< bus << 8 | device << 3 | function, for controllers that tell devices apart */
} crossvm_msi_t;

/** Memory that both ends map: a run of frames of one size. */
typedef struct crossvm_dataport_config {
    const seL4_CPtr *frames; /**< the frames that back it, in order */
    size_t num_frames;       /**< at least 1 */
    size_t frame_size_bits;  /**< log2 of a frame's size in bytes: 12 for 4 KiB, 21 for 2 MiB; 0: 12 */
    uint32_t guest_rights;   /**< CROSSVM_RIGHT_READ, or that and CROSSVM_RIGHT_WRITE; 0: both */
} crossvm_dataport_config_t;

/** One connection, as its VMM describes it. Required: name. */
typedef struct crossvm_connection_config {
    /** 1 to 63 of the characters A-Z a-z 0-9 . _ - and not . or .. ; unique in the VM. The guest uses it as the name of
     * a file. */
    const char *name;
    const crossvm_dataport_config_t *dataports; /**< NULL for a connection without memory */
    size_t num_dataports;                       /**< 0 to CROSSVM_MAX_DATAPORTS */

    /**
     * The guest emitted: pass one event on to the peer. Called in the guest's store, so it must not block. Returns 0 or
     * a negative errno value, which only crossvm_connection_info_t counts, since the guest cannot be told. NULL: the
     * guest's events are counted and dropped.
     */
    int (*emit)(void *cookie);
    /**
     * The guest's driver, or a program there, came or went. `state` is CROSSVM_DRIVER_*. CROSSVM_DRIVER_OPEN after
     * CROSSVM_DRIVER_OPEN means that another program came. NULL: nobody is told.
     */
    void (*driver_changed)(void *cookie, uint32_t state);
    /**
     * The guest enabled its MSI, changed it, or disabled it (`message` NULL). Asked only of connections with a
     * peer_page. A VMM that can let the peer's signal raise the message without the VMM, as irqfd does, sets that up
     * and returns true: from then on the peer counts its events in PEER_SEQ, and the VMM has no part in them. NULL and
     * false: the VMM calls crossvm_consume_event() as before.
     */
    bool (*route_msi)(void *cookie, const crossvm_msi_t *message);
    /**
     * The guest counted an event in its own page and stored to DOORBELL: signal the peer without counting the event
     * again. Otherwise like emit. Required with own_page, even if stores to DOORBELL signal the peer without the VMM.
     */
    int (*emit_counted)(void *cookie);
    void *cookie; /**< passed to the four callbacks above */

    /** The end of the connection that the guest has, 0 or 1; the peer has the other. 0 where the peer is no guest. */
    uint32_t end;
    /** A frame of 4 KiB that the peer writes and the guest reads (PEER_SEQ); seL4_CapNull: none. */
    seL4_CPtr peer_page;
    /**
     * A frame of 4 KiB in which the guest counts its own events (OWN_SEQ); seL4_CapNull: none. Only with a peer_page.
     * It is for a peer that is another guest, whose peer_page it is: no VMM is between the two that could count. For a
     * guest that stores to EMIT instead, emit must add 1 to OWN_SEQ, atomically, before it signals the peer.
     */
    seL4_CPtr own_page;
    /** Offer registers 0x00 to 0x37 only, as upstream's module does. */
    bool base_block_only;
} crossvm_connection_config_t;

/** Where connections are installed. Required: vm, pci, base and alloc_irq. */
typedef struct crossvm_bus {
    vm_t *vm;
    vmm_pci_space_t *pci;
    uintptr_t base; /**< guest physical address from which BARs are laid out; below 4 GiB, a multiple of 4 KiB */
    size_t size;    /**< bytes from base on that BARs may take; 0: up to 4 GiB */
    crossvm_alloc_irq_fn alloc_irq; /**< called for each connection until it has no more; then connections share */
    /** Raises an MSI in the VM. Returns 0 or a negative errno value. NULL: the platform has no MSI, so devices offer
     * INTx only. */
    int (*send_msi)(vm_t *vm, const crossvm_msi_t *message);
} crossvm_bus_t;

/** What is known of an installed connection, at one time. */
typedef struct crossvm_connection_info {
    char name[CROSSVM_FULL_NAME_BYTES]; /**< ends with NUL */
    vmm_pci_address_t pci;
    int irq;                                          /**< INTx: number of the interrupt controller's input */
    bool irq_shared;                                  /**< INTx: another connection has the same */
    bool msi_enabled;                                 /**< the guest uses MSI now */
    bool peer_counts;                                 /**< STATUS.PEER_COUNTS: events do not pass the VMM */
    size_t num_dataports;                             /**< entries used of the two arrays from index 1 on */
    uintptr_t bar_address[1 + CROSSVM_MAX_DATAPORTS]; /**< guest physical */
    size_t bar_size[1 + CROSSVM_MAX_DATAPORTS];       /**< bytes */
    uint32_t peer_state;                              /**< CROSSVM_PEER_* */
    uint32_t peer_generation;                         /**< PEER_GENERATION */
    uint32_t driver_state;                            /**< CROSSVM_DRIVER_* */
    uint64_t emits;                                   /**< stores to EMIT and DOORBELL that the VMM saw */
    uint64_t failed_emits;                            /**< of these, refused by the callback, or without one */
    uint64_t events;                                  /**< EVENT_SEQ */
    uint64_t injections;                              /**< interrupts raised */
} crossvm_connection_info_t;

/**
 * Installs connections into a VM: all of them, or none.
 *
 * It fails for an argument that is NULL or out of range, a malformed or taken name, frames that do not make up a
 * dataport, BARs that overlap something or do not fit from bus->base on, a full bus, no interrupt number from 1 to 255,
 * or no memory. Then the VM and the PCI space are as before, with one exception. libsel4vm cannot give back an event
 * page that it allocated, unregister an interrupt, or return a number to alloc_irq: the module keeps these, without
 * effect, and the next installation uses them.
 *
 * @param bus     where; copied
 * @param configs the connections; copied
 * @param n       how many, at least 1
 * @param handles receives n connections in the order of configs; may be NULL
 * @return 0, or -1 after a line in the log that names the connection and the reason
 */
int crossvm_install(const crossvm_bus_t *bus, const crossvm_connection_config_t *configs, size_t n,
                    crossvm_connection_t **handles);

/**
 * Removes a connection: its PCI function, its dataports and the handle. The guest's accesses to its event page have no
 * effect any more. Linux learns of the removal by a rescan of the bus; unbind its driver before.
 *
 * @param connection may be NULL
 */
void crossvm_remove(crossvm_connection_t *connection);

/** Removes all connections of a VM and frees what the module kept for it. Call it after the guest has ended and before
 * the VM is destroyed. */
void crossvm_remove_all(vm_t *vm);

/**
 * Sets what the guest wrote to a VM's connections (PCI command, MSI, DRIVER, SEEN) back to power-on values, for a VMM
 * that restarts its guest. Events that the guest has not seen stay. Calls driver_changed for each connection that had a
 * driver.
 */
void crossvm_reset_all(vm_t *vm);

/**
 * Counts events of the peer without raising an interrupt.
 *
 * Another thread than the VMM's may call it, provided that no other thread counts events of this connection and that
 * nothing is installed or removed meanwhile.
 */
void crossvm_count(crossvm_connection_t *connection, uint32_t events);

/** Raises the connection's interrupt if the guest has interrupts enabled. Call it after crossvm_count(). */
void crossvm_interrupt(crossvm_connection_t *connection);

/** Delivers one event of the peer: crossvm_count() of 1, and crossvm_interrupt(). */
void crossvm_consume_event(crossvm_connection_t *connection);

/**
 * Tells the guest the state of its peer. If the guest's driver says that it is there (DRIVER), an interrupt is raised,
 * so that programs that wait can look.
 *
 * A call means that a peer came, and the generation grows by one, if it raises the state to CROSSVM_PEER_PRESENT or
 * CROSSVM_PEER_READY, or repeats one of these two. Repeating CROSSVM_PEER_UNKNOWN or CROSSVM_PEER_ABSENT does nothing.
 *
 * @param state CROSSVM_PEER_*; a new connection has CROSSVM_PEER_UNKNOWN
 */
void crossvm_set_peer_state(crossvm_connection_t *connection, uint32_t state);

/** Returns the connection of that name in the VM, or NULL. */
crossvm_connection_t *crossvm_find(const vm_t *vm, const char *name);

/** Returns the 32 bits that the guest finds at an offset of the event page now. The offset must be a multiple of 4
 * below 0x1000. */
uint32_t crossvm_get_register(const crossvm_connection_t *connection, size_t offset);

/** Fills in what is known of a connection. */
void crossvm_get_connection_info(const crossvm_connection_t *connection, crossvm_connection_info_t *info);

#ifdef __cplusplus
}
#endif

#endif
