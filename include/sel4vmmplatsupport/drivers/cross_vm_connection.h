/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cross-VM connections, the short interface: connections of one dataport and one event each way, shown to a Linux guest
 * as PCI devices that its processes can use. It is a layer over crossvm/vmm.h, which can do more; both can be used in
 * one VM. What that header says of threads, memory and errors holds here, too.
 */
#ifndef SEL4VMMPLATSUPPORT_DRIVERS_CROSS_VM_CONNECTION_H
#define SEL4VMMPLATSUPPORT_DRIVERS_CROSS_VM_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pci/helper.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*event_callback_fn)(void *arg);
typedef void (*emit_fn)(void);
typedef int (*consume_callback_fn)(event_callback_fn, void *arg);
typedef int (*alloc_free_interrupt_fn)(void);

/** The memory of a connection. Set the members by name. */
typedef struct crossvm_dataport_handle {
    /*
     * Two generations of this interface have different members in this place. No value of one is a value of the other
     * (a size is at least 4096, a number of bits at most 63), so callers of both compile and work.
     */
    __extension__ union {
        size_t size;            /**< bytes: num_frames times the size of a frame */
        size_t frame_size_bits; /**< log2 of the size of a frame in bytes; 0: 12 */
    };
    int num_frames;    /**< in frames */
    seL4_CPtr *frames; /**< the frames that back the dataport, in order; copied */
} crossvm_dataport_handle_t;

/** A connection. Set the members by name, and leave the others 0. */
typedef struct crossvm_handle {
    crossvm_dataport_handle_t *dataport; /**< NULL: a connection of events only */
    void (*emit_fn)(void);       /**< an emit_fn, called for each event of the guest; NULL: events are dropped */
    seL4_Word consume_id;        /**< for consume_connection_event(); -1: the peer emits no events */
    const char *connection_name; /**< 1 to 63 of A-Z a-z 0-9 . _ - ; NULL: "connector", then "connector-2" and so on */
} crossvm_handle_t;

/**
 * Installs connections into a guest: all of them, or none. May be called again for more, and for other VMs.
 *
 * @param vm                   the VM
 * @param connection_base_addr guest physical address from which the memory of the connections is laid out
 * @param connections          the connections; copied, and not changed
 * @param num_connections      how many, at least 1
 * @param pci                  the VM's PCI space, in which the connections appear
 * @param alloc_irq            returns a free interrupt number, or a negative one when there are no more; called for
 * each connection until then, after which connections share
 * @return 0, or -1 after a line in the log, as crossvm_install() does
 */
int cross_vm_connections_init_common(vm_t *vm, uintptr_t connection_base_addr, crossvm_handle_t *connections,
                                     int num_connections, vmm_pci_space_t *pci, alloc_free_interrupt_fn alloc_irq);

/**
 * Delivers an event of a peer to the guest.
 *
 * @param vm         the VM
 * @param event_id   the consume_id of the connection. All connections with that id get the event. If none has it,
 *                   event_id is taken for notification badges that the kernel merged: each connection whose consume_id
 *                   is a single bit of it gets the event. An id that no connection has does nothing.
 * @param inject_irq whether to raise the interrupt, too, or only to count. Without it, another thread than the VMM's
 * may call, as crossvm_count() has it.
 */
void consume_connection_event(vm_t *vm, seL4_Word event_id, bool inject_irq);

#ifdef __cplusplus
}
#endif

#endif
