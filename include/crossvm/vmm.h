/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cross-VM connections for a VMM: the full interface of the module in src/vmm.
 *
 * A VMM describes its connections, installs them as PCI functions of a guest, tells the module of each event that a
 * peer raises, and is told of each event that the guest raises. sel4vmmplatsupport/drivers/cross_vm_connection.h is the
 * short interface to the same module.
 *
 * Threads: the module takes no locks. A VMM makes all calls below, and runs the guest's faults and PCI accesses, from
 * one thread at a time, as a libsel4vm VMM does by its nature (with libsel4vm on KVM: while it holds kvm_vmm_lock()).
 * The exception is crossvm_count(): see there.
 *
 * Calls back: emit, ring and driver_changed may call the module again and remove the connection itself, but no other;
 * route_msi may count and interrupt only.
 *
 * Memory: the module copies what it is given; configurations, names and arrays of frames may go after the call. Frames
 * must outlive the connection. On seL4 a capability to a frame is mapped once only, and libsel4vm deletes those that it
 * mapped when a connection goes or its installation fails: give copies, made for that call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4/sel4.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>

#include <crossvm/device.h>

/** An installed connection. Made by crossvm_install(), ended by crossvm_remove(). */
typedef struct crossvm_connection crossvm_connection_t;

/** Gives a free interrupt number of the VM's interrupt controller, or a negative number when there are no more. */
typedef int (*crossvm_alloc_irq_fn)(void);

/** An MSI, as the guest programmed it (PCI Local Bus Specification 3.0, section 6.8.1). */
typedef struct crossvm_msi {
    uint64_t address;   /**< bus address of the message */
    uint32_t data;      /**< value written there */
    uint32_t requester; /**< bus << 8 | device << 3 | function, for controllers that tell devices apart */
} crossvm_msi_t;

/** Memory that both ends map: a run of frames of one size. */
typedef struct crossvm_dataport_config {
    const seL4_CPtr *frames; /**< the frames that back it, in order */
    size_t num_frames;       /**< how many, at least 1 */
    size_t frame_size_bits;  /**< log2 of a frame's size in bytes: 12 for 4 KiB, 21 for 2 MiB */
    uint32_t guest_rights;   /**< CROSSVM_RIGHT_READ, or that and CROSSVM_RIGHT_WRITE */
} crossvm_dataport_config_t;

/** What a VMM says of one connection. */
typedef struct crossvm_connection_config {
    /** 1 to 63 of the characters A-Z a-z 0-9 . _ - and not . or .. ; unique in the VM, so that it can name a file. */
    const char *name;
    const crossvm_dataport_config_t *dataports; /**< may be NULL for a connection of events only */
    size_t num_dataports;                       /**< 0 to CROSSVM_MAX_DATAPORTS */

    /**
     * The guest rang: pass one event to the peer. Runs in the guest's store, so it must not block. The result is 0 or a
     * negative errno value, which is counted in crossvm_connection_info_t (the guest cannot be told). NULL: the guest's
     * events are counted and dropped.
     */
    int (*emit)(void *cookie);
    /** The guest's driver, or a program there, came or went: state is CROSSVM_DRIVER_*. CROSSVM_DRIVER_OPEN again is
     * another program. May be NULL. */
    void (*driver_changed)(void *cookie, uint32_t state);
    /**
     * The guest enabled its MSI, changed it, or disabled it (message NULL). A VMM that can let the peer's signal raise
     * the message by itself, as irqfd does, sets that up and returns true: from then on the peer counts its events in
     * PEER_SEQ and the VMM has no part in them. Otherwise it returns false. NULL means never. Asked only of connections
     * with a peer_page.
     */
    bool (*route_msi)(void *cookie, const crossvm_msi_t *message);
    /**
     * The guest counted an event in its own page and rang: signal the peer without counting it again. Like emit
     * otherwise. Needed with own_page, even where DOORBELL is wired to the peer and seldom comes here.
     */
    int (*emit_counted)(void *cookie);
    void *cookie; /**< passed to the four calls above */

    /** Which end of the connection the guest has, 0 or 1; the peer has the other. A guest whose peer is on the host is
     * 0. */
    uint32_t end;
    /** A 4 KiB frame that the peer writes and the guest reads (PEER_SEQ), or seL4_CapNull for none. */
    seL4_CPtr peer_page;
    /**
     * A 4 KiB frame that the guest writes (OWN_SEQ), for a peer that is to learn how many events there were although
     * nobody stands between the two who could count: another guest, whose peer_page it is. Only with a peer_page;
     * seL4_CapNull for none. Guests that do not know it ring EMIT, and the emit call adds to OWN_SEQ in their place,
     * atomically, before it signals.
     */
    seL4_CPtr own_page;
    /** Offer registers 0x00 to 0x37 only, as devices in the field do. */
    bool base_block_only;
} crossvm_connection_config_t;

/** Where connections are installed. */
typedef struct crossvm_bus {
    vm_t *vm;
    vmm_pci_space_t *pci;
    uintptr_t base; /**< guest physical address from which BARs are laid out; below 4 GiB, a multiple of 4 KiB */
    size_t size;    /**< bytes from base that BARs may take; 0: up to 4 GiB */
    crossvm_alloc_irq_fn alloc_irq;
    /**
     * Raises an MSI in the VM. The result is 0 or a negative errno value. NULL: the platform has no MSI, and the
     * devices offer INTx only.
     */
    int (*send_msi)(vm_t *vm, const crossvm_msi_t *message);
} crossvm_bus_t;

/** What is known of an installed connection. A snapshot. */
typedef struct crossvm_connection_info {
    char name[CROSSVM_FULL_NAME_BYTES];
    vmm_pci_address_t pci;
    int irq;                                          /**< INTx: number of the interrupt controller's input */
    bool irq_shared;                                  /**< INTx: another connection has the same */
    bool msi_enabled;                                 /**< the guest uses MSI now */
    bool peer_counts;                                 /**< STATUS.PEER_COUNTS: the VMM is out of the path */
    size_t num_dataports;                             /**< entries used of the two arrays from index 1 */
    uintptr_t bar_address[1 + CROSSVM_MAX_DATAPORTS]; /**< guest physical */
    size_t bar_size[1 + CROSSVM_MAX_DATAPORTS];       /**< bytes */
    uint32_t peer_state;                              /**< CROSSVM_PEER_* */
    uint32_t peer_generation;
    uint32_t driver_state; /**< CROSSVM_DRIVER_* */
    uint64_t emits;        /**< stores to EMIT and DOORBELL that the VMM saw */
    uint64_t failed_emits; /**< of these, refused by the emit call, or without one */
    uint64_t events;       /**< EVENT_SEQ */
    uint64_t injections;   /**< interrupts raised */
} crossvm_connection_info_t;

/**
 * Installs connections into a VM: all of them, or none.
 *
 * @param bus     where; copied
 * @param configs the connections; copied
 * @param n       how many, at least 1
 * @param handles an array of n pointers that receives the connections in the order of configs; may be NULL
 * @return 0, or -1 after one line in the log that names the connection and the reason: an argument that is NULL or out
 * of range, a name that is malformed or taken, frames that do not make up a dataport, BARs that do not fit below
 *         bus->base + bus->size or overlap something else, a full bus, no interrupt number from 1 to 255, no memory. On
 * -1 the VM and the PCI space are as they were. (libsel4vm has no call to give back an event page that it allocated, an
 * interrupt that is registered, or a number from alloc_irq: where it comes to these and then fails, they stay with the
 * module, inert, and the next install uses them.)
 */
int crossvm_install(const crossvm_bus_t *bus, const crossvm_connection_config_t *configs, size_t n,
                    crossvm_connection_t **handles);

/**
 * Removes a connection: its PCI function, dataports and handle are gone, and the guest's accesses to its event page
 * have no effect. Linux learns of it by a rescan; unbind its driver first. No error; NULL is allowed.
 */
void crossvm_remove(crossvm_connection_t *connection);

/** Removes all connections of a VM and forgets what the module kept for it. Call it when the guest runs no more, before
 * the VM goes. */
void crossvm_remove_all(vm_t *vm);

/**
 * Puts the guest-written state of a VM's connections (PCI command, MSI, DRIVER, SEEN) back to power-on values, for a
 * VMM that restarts its guest. Events that wait stay. Calls driver_changed of each connection whose driver is gone by
 * this; as ever, the call may remove that connection, and no other.
 */
void crossvm_reset_all(vm_t *vm);

/**
 * Records events of the peer without raising an interrupt. Another thread than the VMM's may call it, provided that it
 * is the only one that counts for this connection and that nothing is installed or removed meanwhile.
 */
void crossvm_count(crossvm_connection_t *connection, uint32_t events);

/** Raises the connection's interrupt if there is one to raise: after crossvm_count(). */
void crossvm_interrupt(crossvm_connection_t *connection);

/** One event of the peer: crossvm_count() of 1, and crossvm_interrupt(). */
void crossvm_consume_event(crossvm_connection_t *connection);

/**
 * Tells the guest of its peer's state, and, if the guest's driver says that it is there (DRIVER), raises an interrupt
 * so that who waits can look. Each call that leads to a higher state than before, up to CROSSVM_PEER_READY, or to the
 * same one of CROSSVM_PEER_PRESENT and CROSSVM_PEER_READY again, means that a peer came: the generation grows by one.
 * The state of a new connection is CROSSVM_PEER_UNKNOWN; telling UNKNOWN or ABSENT again does nothing.
 */
void crossvm_set_peer_state(crossvm_connection_t *connection, uint32_t state);

/** The connection of that name in the VM, or NULL. */
crossvm_connection_t *crossvm_find(vm_t *vm, const char *name);

/** The 32 bits that the guest finds at an offset of the event page now: a multiple of 4, below 0x1000. */
uint32_t crossvm_get_register(const crossvm_connection_t *connection, size_t offset);

/** Fills in what is known of a connection. */
void crossvm_get_connection_info(const crossvm_connection_t *connection, crossvm_connection_info_t *info);
