/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cross-VM connections, the short interface: a set of connections of one dataport and one event each way, shown to a
 * Linux guest as PCI devices that its processes can use. It is a layer over crossvm/vmm.h, which can say more; both may
 * be used in one VM.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pci/helper.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>

typedef void (*event_callback_fn)(void *arg);
typedef void (*emit_fn)(void);
typedef int (*consume_callback_fn)(event_callback_fn, void *arg);
typedef int (*alloc_free_interrupt_fn)(void);

/** The memory of a connection. Set the fields by name. */
typedef struct crossvm_dataport_handle {
    /*
     * Two generations of this interface differ in this word. The values of the one are never values of the other (a
     * size is at least 4096, a number of bits at most 63), so callers of both compile and work, whatever they leave
     * unset.
     */
    union {
        size_t size;            /**< bytes: num_frames times the size of a frame */
        size_t frame_size_bits; /**< log2 of the size of a frame in bytes */
    };
    int num_frames;    /**< frames that frames points to */
    seL4_CPtr *frames; /**< the frames that back the dataport, in order; they stay the caller's */
} crossvm_dataport_handle_t;

/** A connection. Set the fields by name and leave the others zero. */
typedef struct crossvm_handle {
    crossvm_dataport_handle_t *dataport; /**< NULL for a connection of events only */
    emit_fn emit_fn;                     /**< called for each event of the guest; NULL: they are dropped */
    seL4_Word consume_id;                /**< what consume_connection_event() is given; -1: the peer sends no events */
    const char *connection_name; /**< 1 to 63 of A-Z a-z 0-9 . _ - ; NULL: "connector", then "connector-2" and so on */
} crossvm_handle_t;

/**
 * Installs a set of connections into a guest. May be called again for more, and for other VMs.
 *
 * @param vm                   the VM
 * @param connection_base_addr guest physical address from which the memory of the connections is laid out
 * @param connections          the connections; copied. A NULL connection_name is left as it is.
 * @param num_connections      how many
 * @param pci                  the VM's PCI space, in which the connections appear
 * @param alloc_irq            gives a free interrupt number, or a negative one when there are no more; called once for
 *                             each connection until then, after which connections share
 * @return 0, or -1 as crossvm_install() has it
 */
int cross_vm_connections_init_common(vm_t *vm, uintptr_t connection_base_addr, crossvm_handle_t *connections,
                                     int num_connections, vmm_pci_space_t *pci, alloc_free_interrupt_fn alloc_irq);

/**
 * Relays an event of a peer to the guest.
 *
 * @param vm         the VM
 * @param event_id   the consume_id of the connection. Several connections with that id all get the event. If none has
 * it, event_id is taken for notification badges that the kernel merged: each connection whose consume_id is a single
 * bit of it gets the event. An id of nobody is ignored.
 * @param inject_irq whether to raise the interrupt too, or only to count
 */
void consume_connection_event(vm_t *vm, seL4_Word event_id, bool inject_irq);
