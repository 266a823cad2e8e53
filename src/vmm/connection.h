/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection at work: events in both directions, and the guest's accesses to its registers.
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
    seL4_CPtr *frames; /**< a copy, since libsel4vm may map them as late as on the first access */
    size_t num_frames;
    size_t frame_size_bits;
    uint32_t rights;
    uintptr_t address; /**< guest physical */
    size_t size;       /**< bytes, exact */
    vm_memory_reservation_t *memory;
    vm_memory_reservation_t *tail; /**< the rest of the BAR; NULL: the dataport fills the BAR */
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
    bool again;              /**< had an event of which the interrupt in service may not tell */
    unsigned int unanswered; /**< interrupts since the guest last touched the device, while DRIVER is 0 */
    bool msi_active;
    crossvm_msi_t msi; /**< valid while msi_active */
    bool peer_counts;  /**< the peer's events do not pass the VMM */

    /* Counters for crossvm_get_connection_info() */
    uint64_t emits;
    uint64_t failed_emits;
    uint64_t injections;

    /* The short interface */
    seL4_Word consume_id; /**< valid if has_consume_id */
    bool has_consume_id;
    void (*short_emit)(void); /**< the handle's emit_fn */
};

/** libsel4vm's callback for stores to an event page. `cookie` is the page's struct event_frame. */
memory_fault_result_t cvmm_connection_event_page_fault(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t address, size_t length,
                                                       void *cookie);

/** libsel4vm's callback for memory without a device: loads give 0, stores do nothing. */
memory_fault_result_t cvmm_connection_void_fault(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t address, size_t length,
                                                 void *cookie);

/** Makes the PCI entry of a connection. */
vmm_pci_entry_t cvmm_connection_pci_entry(crossvm_connection_t *connection);

/** Whether a PCI entry was made by cvmm_connection_pci_entry(). */
bool cvmm_connection_owns_entry(const vmm_pci_entry_t *entry);

/** Whether the connection may raise INTx now: the guest has it enabled, and the connection is not silent. */
bool cvmm_connection_may_raise(const crossvm_connection_t *connection);

/** Updates a connection's `again` at the end of an interrupt. Returns it. */
bool cvmm_connection_line_ended(crossvm_connection_t *connection);

/** Accounts for an interrupt that was raised for a connection. */
static inline void cvmm_connection_raised(crossvm_connection_t *connection)
{
    connection->again = false;
    connection->injections++;
    if (connection->page.driver == CROSSVM_DRIVER_NONE)
        connection->unanswered++;
}

/** Raises the INTx of a connection: now, or when the guest ends the interrupt in service. */
static inline void cvmm_connection_raise(crossvm_connection_t *connection)
{
    struct irq_line *line = connection->line;
    /*
     * Injects even if an interrupt seems to be in service: a guest that resets its interrupt controller never ends the
     * one it had, and in_service would stay set. A controller that holds the interrupt ignores the injection.
     */
    bool injected = vm_inject_irq(line->vcpu, line->irq) == 0;

    if (injected && !line->in_service) {
        line->in_service = true;
        cvmm_connection_raised(connection);
        return;
    }
    connection->again = true;
    cvmm_irq_line_set_again(line, true);
    /* Also raises lines that an acknowledgement deferred to the end of this one, since that end may never come. */
    if (line->guest->lines_again > 1)
        cvmm_irq_lines_raise_again(line->guest);
}

/** Follows the interrupt settings in config. Must be called after each change of config. */
void cvmm_connection_update_interrupts(crossvm_connection_t *connection);
