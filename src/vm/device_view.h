/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection's device as the guest sees it: read from its configuration space and its registers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"

struct device_view {
    char name[CROSSVM_FULL_NAME_BYTES];
    bool peer_is_vm;
    vmm_pci_address_t pci;
    uint32_t vendor, device, class;
    bool msi;
    char pin;     /**< of INTx: A to D */
    uint32_t irq; /**< of the interrupt controller */
    bool irq_shared;
    bool extended; /**< has the extended block: without it, the next four are 0 */
    uint32_t version, end, features;
    uint32_t count; /**< CROSSVM_REG_COUNT, of a device without the extended block */
    size_t num_dataports;
    struct {
        uint32_t address;
        uint64_t size; /**< bytes */
    } bars[CROSSVM_BAR_DATAPORT + CROSSVM_MAX_DATAPORTS];
    struct {
        uint64_t size; /**< bytes; 0: a device without the extended block does not tell */
        uint32_t rights;
    } dataports[CROSSVM_MAX_DATAPORTS];
};

void device_view_read(struct device_view *view, const struct machine *machine, const struct wiring *wiring);
