/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wiring of a connection: memory and eventfds that the guest shares with its peer, and how they lead into the VM.
 *
 * The guest's events signal `emit` straight from KVM (ioeventfd). The peer's events come through `notify`: straight
 * into the guest as an MSI (irqfd) when the guest has enabled its MSI; else through this process, which counts them and
 * raises INTx.
 *
 * The peer is a host program, or another guest. Then one eventfd is `emit` here and `notify` there, and nobody stands
 * between the two who could count. So a guest counts its own events in its own page, which is the other's peer page,
 * and rings RING; this process counts for a guest that rings EMIT.
 *
 * All functions are called with the VMM's lock held, unless they say otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/vmm.h>
#include <sel4vm_kvm.h>

#include "../wire/wire.h"
#include "loop.h"
#include "options.h"
#include "shared_memory.h"

struct wiring {
    char name[CROSSVM_FULL_NAME_BYTES];
    bool base_block_only;
    uint32_t end; /**< of the guest: 0 or 1 */
    vm_t *vm;
    crossvm_connection_t *connection; /**< NULL until attached */
    struct shared_memory dataports[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports;
    struct shared_memory peer_page; /**< what the peer counts in; the guest has it too, if it has the extended block */
    struct shared_memory own_page;  /**< what the guest counts in for another guest; none for a host program */
    volatile uint64_t *peer_seq;    /**< in our mapping of the peer page; written by the peer, so copied before use */
    volatile uint64_t *own_seq;     /**< in our mapping of the own page, or NULL */
    int emit;                       /**< eventfd, guest to peer */
    int notify; /**< eventfd, peer to guest; non-blocking, so that a full count does not stop the peer */
    kvm_irqfd_t *irqfd;
    uintptr_t doorbell; /**< guest physical address that is wired to emit, or 0 */
    struct loop *loop;
    struct source notify_source; /**< watched while this process is in the path of the peer's events */

    /* What the guest's side says of itself, for the peer. */
    uint32_t driver_state;      /**< CROSSVM_DRIVER_* */
    uint32_t driver_generation; /**< counts the times that a driver or program came */
    void (*driver_changed)(struct wiring *wiring);
    void *owner; /**< of driver_changed */
};

/** Nothing yet: what wiring_destroy() may have. */
void wiring_init(struct wiring *wiring);

/** Makes the wiring to a host program. 0, or -1 after a message. wiring_destroy() frees, also after a failure. */
int wiring_create(struct wiring *wiring, vm_t *vm, const struct connection_option *option);

/**
 * Takes the wiring to another VM as that message describes it.
 *
 * @param fds in the order of src/wire/wire.h; they become the wiring's, and -1 in the array
 * @return 0, or -1 after a message; as with wiring_create()
 */
int wiring_join(struct wiring *wiring, vm_t *vm, const struct crossvm_wire_join *join, int *fds);

void wiring_destroy(struct wiring *wiring);

/** Describes the connection to crossvm_install(); dataports has room for CROSSVM_MAX_DATAPORTS. */
void wiring_describe(struct wiring *wiring, crossvm_connection_config_t *config, crossvm_dataport_config_t *dataports);

/** Takes the installed connection and wires the doorbells; the loop watches for the peer's events. 0, or -1 after a
 * message. */
int wiring_attach(struct wiring *wiring, crossvm_connection_t *connection, struct loop *loop);

/** The message that tells a peer of the guest's side. */
struct crossvm_wire_driver wiring_news(const struct wiring *wiring);
