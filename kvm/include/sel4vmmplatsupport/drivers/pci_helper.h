/* SPDX-License-Identifier: BSD-2-Clause */
/* Building blocks for the configuration space of a PCI function. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <pci/pci.h>

#include <sel4vmmplatsupport/drivers/pci.h>

#define PCI_BAR_OFFSET(b) (offsetof(vmm_pci_device_def_t, bar##b))

/** A configuration header of type 0, in the layout of configuration space. */
typedef struct vmm_pci_device_def {
    uint16_t vendor_id;
    uint16_t device_id;
    uint16_t command;
    uint16_t status;
    uint8_t revision_id;
    uint8_t prog_if;
    uint8_t subclass;
    uint8_t class_code;
    uint8_t cache_line_size;
    uint8_t latency_timer;
    uint8_t header_type;
    uint8_t bist;
    uint32_t bar0;
    uint32_t bar1;
    uint32_t bar2;
    uint32_t bar3;
    uint32_t bar4;
    uint32_t bar5;
    uint32_t cardbus;
    uint16_t subsystem_vendor_id;
    uint16_t subsystem_id;
    uint32_t expansion_rom;
    uint8_t caps_pointer;
    uint8_t reserved1;
    uint16_t reserved2;
    uint32_t reserved3;
    uint8_t interrupt_line;
    uint8_t interrupt_pin;
    uint8_t min_grant;
    uint8_t max_latency;
    int caps_len; /**< not in configuration space: bytes of caps, which follow the header */
    void *caps;
} PACKED vmm_pci_device_def_t;

typedef enum pci_mem_type { NON_MEM = 0, NON_PREFETCH_MEM, PREFETCH_MEM } pci_mem_type_t;

typedef struct vmm_pci_bar {
    pci_mem_type_t mem_type;
    uintptr_t address; /**< a multiple of the size */
    size_t size_bits;
} vmm_pci_bar_t;

/** Ignores a store. Returns 0. */
int vmm_pci_entry_ignore_write(void *cookie, int offset, int size, uint32_t value);

/* Access the vmm_pci_device_def_t that `cookie` points to. Beyond the header, loads give 0. Return 0, or -1 for a bad
 * offset or size. */
int vmm_pci_mem_device_read(void *cookie, int offset, int size, uint32_t *result);
int vmm_pci_mem_device_write(void *cookie, int offset, int size, uint32_t value);

/** Fills in the header of a host bridge. */
void define_pci_host_bridge(vmm_pci_device_def_t *bridge);

/*
 * The following three return a function that emulates some registers and passes all other accesses on to `existing`. A
 * function without handlers (NULL) means that there is no memory.
 */

/** Emulates base address registers: their addresses are fixed, and the guest can probe their sizes. */
vmm_pci_entry_t vmm_pci_create_bar_emulation(vmm_pci_entry_t existing, int num_bars, vmm_pci_bar_t *bars);

/** Emulates the interrupt line register, with a fixed value. */
vmm_pci_entry_t vmm_pci_create_irq_emulation(vmm_pci_entry_t existing, int irq);

/** Emulates the list of capabilities. `caps` holds their offsets in the order of the list. Configuration space from
 * range_starts[i] to range_ends[i] is hidden. */
vmm_pci_entry_t vmm_pci_create_cap_emulation(vmm_pci_entry_t existing, int num_caps, uint8_t *caps, int num_ranges,
                                             uint8_t *range_starts, uint8_t *range_ends);
