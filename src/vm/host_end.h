/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's end of a connection: shared memory, two eventfds, and their wiring to the VM.
 *
 * The guest's events signal `emit` straight from KVM (ioeventfd). The peer's events come through `notify`: straight
 * into the guest as an MSI (irqfd) when the guest has enabled its MSI; else through this process, which counts them and
 * raises INTx. All functions are called with the VMM's lock held, unless they say otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/vmm.h>
#include <sel4vm_kvm.h>

#include "options.h"

/** Memory that is shared with the peer. */
struct host_memory {
    int memfd;
    seL4_CPtr *frames;
    size_t num_frames;
    size_t frame_size_bits;
    uint64_t size; /**< bytes */
    uint32_t guest_rights;
    uint32_t host_rights;
};

struct host_end {
    const struct connection_option *option;
    vm_t *vm;
    crossvm_connection_t *connection; /**< NULL until attached */
    struct host_memory peer_page;     /**< the guest has it too, except with a device of the base block only */
    volatile uint64_t *peer_seq;      /**< in our mapping of the peer page; written by the peer, so copied before use */
    struct host_memory dataports[CROSSVM_MAX_DATAPORTS];
    int emit;   /**< eventfd, guest to peer */
    int notify; /**< eventfd, peer to guest; non-blocking, so that a full count does not stop the peer */
    kvm_irqfd_t *irqfd;
    bool has_ioeventfd;
    int epoll; /**< watches notify while this process is in the path; data.ptr is &notify_source */
    void *notify_source;
    void (*driver_changed)(struct host_end *end, uint32_t state);
    void *owner; /**< of driver_changed */
};

/** Makes memory and eventfds. 0, or -1 after a message. host_end_destroy() frees, also after a failure. */
int host_end_create(struct host_end *end, vm_t *vm, const struct connection_option *option);

void host_end_destroy(struct host_end *end);

/** Describes the end to crossvm_install(); dataports has room for CROSSVM_MAX_DATAPORTS. */
void host_end_describe(struct host_end *end, crossvm_config_t *config, crossvm_dataport_t *dataports);

/** Takes the installed connection and wires the doorbells; epoll watches for the peer's events. 0, or -1 after a
 * message. */
int host_end_attach(struct host_end *end, crossvm_connection_t *connection, int epoll, void *notify_source);

/** Passes on the events of the peer that PEER_SEQ tells of, and empties notify. Never waits. */
void host_end_relay(struct host_end *end);
