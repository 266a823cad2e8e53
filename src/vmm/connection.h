/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection at work: events in both directions and the guest's accesses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_irq_controller.h>
#include <sel4vm/guest_memory.h>
#include <sel4vmmplatsupport/drivers/pci.h>

#include <crossvm/vmm.h>

#include "config_space.h"
#include "event_frame.h"
#include "event_page.h"
#include "irq_line.h"

/** Memory of a dataport in the guest. */
struct dataport {
    seL4_CPtr *frames; /**< a copy: libsel4vm may map on the first access, long after the installation */
    size_t num_frames;
    size_t frame_size_bits;
    uint32_t rights;
    uintptr_t address; /**< guest physical */
    size_t size;       /**< bytes, exact */
    vm_memory_reservation_t *memory;
    vm_memory_reservation_t *tail; /**< from size to the end of the BAR; NULL when the BAR is full */
};

struct crossvm_connection {
    crossvm_connection_t *next;
    struct guest *guest;
    char name[CROSSVM_FULL_NAME_BYTES];

    /* Towards the peer */
    int (*emit)(void *cookie);
    int (*emit_counted)(void *cookie);
    void (*driver_changed)(void *cookie, uint32_t state);
    bool (*route_msi)(void *cookie, const crossvm_msi_t *message);
    void *cookie;
    int (*send_msi)(vm_t *vm, const crossvm_msi_t *message);

    /* Towards the guest */
    struct event_frame *frame;
    struct event_page page;
    struct dataport peer_page; /**< num_frames 0: none */
    struct dataport own_page;  /**< num_frames 0: none */
    struct dataport dataports[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports;
    struct config_space config;
    vmm_pci_space_t *pci;
    vmm_pci_address_t pci_address;

    /* Interrupts */
    struct irq_line *line;
    crossvm_connection_t *next_on_line;
    bool intx_enabled;       /**< by the guest, in config */
    bool again;              /**< had an event that the interrupt in service may not have told of */
    unsigned int unanswered; /**< interrupts since the guest touched the device, while its driver says nothing */
    bool msi_active;
    crossvm_msi_t msi; /**< while msi_active */
    bool peer_counts;

    /* Counters for crossvm_get_connection_info() */
    uint64_t emits;
    uint64_t failed_emits;
    uint64_t injections;
    seL4_Word consume_id; /**< of the short interface; see has_consume_id */
    bool has_consume_id;
    void (*short_emit)(void); /**< of the short interface, called by its emit */
};

/** libsel4vm's callback for stores to an event page; the cookie is its struct event_frame. */
memory_fault_result_t cvmm_connection_event_page_fault(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t address, size_t length,
                                                       void *cookie);

/** libsel4vm's callback for memory without effect: loads give 0, stores vanish. */
memory_fault_result_t cvmm_connection_void_fault(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t address, size_t length,
                                                 void *cookie);

/** The PCI entry of a connection. */
vmm_pci_entry_t cvmm_connection_pci_entry(crossvm_connection_t *connection);

/** Whether a PCI entry is one of these. */
bool cvmm_connection_owns_entry(const vmm_pci_entry_t *entry);

/** Whether the guest lets this connection use its line now. */
bool cvmm_connection_may_raise(const crossvm_connection_t *connection);

/** Part of a connection in the end of an interrupt: brings its again up to date, and returns it. */
bool cvmm_connection_line_ended(crossvm_connection_t *connection);

/** Part of a connection in an interrupt that was raised for it. */
static inline void cvmm_connection_raised(crossvm_connection_t *connection)
{
    connection->again = false;
    connection->injections++;
    if (connection->page.driver == CROSSVM_DRIVER_NONE)
        connection->unanswered++;
}

/** Raises the interrupt of a connection, now or when the guest ends the one in service. */
static inline void cvmm_connection_raise(crossvm_connection_t *connection)
{
    struct irq_line *line = connection->line;
    /*
     * Inject even while one is in service: a guest that sets up its interrupt controller anew never ends what it had,
     * and must not be left without interrupts for it. A controller that holds one already ignores this.
     */
    bool injected = vm_inject_irq(line->vcpu, line->irq) == 0;

    if (injected && !line->in_service) {
        line->in_service = true;
        cvmm_connection_raised(connection);
        return;
    }
    connection->again = true;
    cvmm_irq_line_set_again(line, true);
    /* What an acknowledgement left to the end of this line should not wait for one that may never come. */
    if (line->guest->lines_again > 1)
        cvmm_irq_lines_raise_again(line->guest);
}

/** Follows the guest's settings of interrupts in config: called after each change there. */
void cvmm_connection_update_interrupts(crossvm_connection_t *connection);
