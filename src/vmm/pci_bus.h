/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection's place on the PCI bus: which device and function, and which interrupt pin.
 *
 * Devices of their own come first. When all 32 are taken and the platform routes accesses to functions 1 to 7, which a
 * host bridge with the multi-function bit says, connections become functions of the devices that the module has.
 */
#pragma once

#include "connection.h"

/**
 * Finds a place for a connection that has interrupt number irq, and enters it there.
 *
 * @param pin receives 1 to 4. Firmware tables route interrupts by device and pin, so two functions of one device share
 *            a pin only if they share the number.
 * @return 0, or -1 when the bus is full or there is no memory
 */
int cvmm_pci_enter(vmm_pci_space_t *pci, crossvm_connection_t *connection, int irq, uint8_t *pin);

/** Whether the platform passes on accesses to functions 1 to 7. */
bool cvmm_pci_routes_functions(const vmm_pci_space_t *pci);

/** How many functions are free for connections; interrupt pins may allow fewer. */
size_t cvmm_pci_room(const vmm_pci_space_t *pci);

/** Brings the header types of a connection's device up to date, after cvmm_config_space_init(). */
void cvmm_pci_update(crossvm_connection_t *connection);

/** Takes a connection off the bus. */
void cvmm_pci_leave(crossvm_connection_t *connection);
