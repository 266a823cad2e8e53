/* SPDX-License-Identifier: BSD-2-Clause */
/* The PCI space that a guest sees: bus 0 with its devices and functions. */
#pragma once

#include <stdint.h>

typedef struct vmm_pci_address {
    uint8_t bus;
    uint8_t dev;
    uint8_t fun;
} vmm_pci_address_t;

/** A function: handlers of accesses of 1, 2 or 4 bytes to its configuration space. They return 0 for success. */
typedef struct vmm_pci_entry {
    void *cookie;
    int (*ioread)(void *cookie, int offset, int size, uint32_t *result);
    int (*iowrite)(void *cookie, int offset, int size, uint32_t value);
} vmm_pci_entry_t;

typedef struct vmm_pci_space {
    vmm_pci_entry_t *bus0[32][8]; /**< by device and function; from malloc() */
    uint32_t conf_port_addr;      /**< what the guest last stored to the address port */
} vmm_pci_space_t;

/**
 * Makes a PCI space with a host bridge at 00:00.0. The bridge's header type has the multi-function bit, which tells
 * that this space routes configuration accesses to functions 1 to 7. Not every implementation of this interface does.
 *
 * @return 0, or -1 if there is no memory
 */
int vmm_pci_init(vmm_pci_space_t **space);

/** Adds a function, as function 0 of the first free device. *addr receives its address; addr may be NULL. Returns 0, or
 * -1 if the bus is full or there is no memory. */
int vmm_pci_add_entry(vmm_pci_space_t *space, vmm_pci_entry_t entry, vmm_pci_address_t *addr);

/** Splits a value of the address port into the address of a function and a register. */
void make_addr_reg_from_config(uint32_t conf, vmm_pci_address_t *addr, uint8_t *reg);

/** Returns the function at an address, or NULL. */
vmm_pci_entry_t *find_device(vmm_pci_space_t *self, vmm_pci_address_t addr);
