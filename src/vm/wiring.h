/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wiring of a connection: the memory and eventfds that the guest shares with its peer, as a JOIN message brought
 * them, and how they lead into the VM.
 *
 * Two eventfds are the doorbells. The guest's store to a doorbell register signals the peer's doorbell in KVM, without
 * this process (ioeventfd). The peer signals the guest's doorbell. While the guest uses MSI, KVM turns that signal into
 * an interrupt (irqfd); otherwise this process counts the events and raises INTx.
 *
 * A host program counts the guest's signals, and the guest emits by EMIT. Between two guests no process can count the
 * events. So a guest counts its own events in its own page, which is the other guest's peer page, and then stores to
 * DOORBELL. For a guest that stores to EMIT, this process counts.
 *
 * Call all functions with the VMM's lock held, unless their description says otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/vmm.h>
#include <sel4vm_kvm.h>

#include "../wire/wire.h"
#include "loop.h"
#include "shared_memory.h"

struct wiring {
    char name[CROSSVM_FULL_NAME_BYTES];
    bool base_block_only;
    uint32_t end; /**< of the guest: 0 or 1 */
    vm_t *vm;
    crossvm_connection_t *connection; /**< NULL until attached */
    struct shared_memory dataports[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports;
    struct shared_memory peer_page; /**< where the peer counts; the guest maps it if it has the extended block */
    struct shared_memory own_page;  /**< where the guest counts for another guest; none for a host program */
    volatile uint64_t *peer_seq;    /**< in our mapping of the peer page; the peer can change it at any time */
    volatile uint64_t *own_seq;     /**< in our mapping of the own page; NULL: the peer is a host program */
    int peer_doorbell;              /**< eventfd, guest to peer */
    int guest_doorbell;             /**< eventfd, peer to guest; non-blocking, so that a full count stops no peer */
    kvm_irqfd_t *irqfd;             /**< turns guest_doorbell into an MSI; NULL: this process handles it */
    uintptr_t wired_address;        /**< guest physical address whose stores signal peer_doorbell, or 0 */
    struct loop *loop;
    struct source guest_doorbell_source; /**< watched while irqfd is NULL */

    /* Who is at the guest's end, for the peer. */
    uint32_t driver_state;      /**< CROSSVM_DRIVER_* */
    uint32_t driver_generation; /**< counts the times that a driver or program came */
    void (*driver_changed)(struct wiring *wiring);
    void *owner; /**< of driver_changed */
};

/** Makes an empty wiring, which wiring_destroy() takes. */
void wiring_init(struct wiring *wiring);

/**
 * Takes what a JOIN message brought.
 *
 * @param join checked by the caller
 * @param fds  its descriptors in the order of src/wire/wire.h; those that become the wiring's turn to -1
 * @return 0, or -1 after a message. wiring_destroy() frees it, also after a failure.
 */
int wiring_create(struct wiring *wiring, vm_t *vm, const struct crossvm_wire_join *join, int *fds);

/** Removes the connection from the VM and frees what wiring_create() made. */
void wiring_destroy(struct wiring *wiring);

/** Describes the connection to crossvm_install(); dataports has room for CROSSVM_MAX_DATAPORTS. */
void wiring_describe(struct wiring *wiring, crossvm_connection_config_t *config, crossvm_dataport_config_t *dataports);

/** Wires the doorbells of the installed connection, and lets the loop watch for the peer's events. Returns 0, or -1
 * after a message. */
int wiring_attach(struct wiring *wiring, crossvm_connection_t *connection, struct loop *loop);
