/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections on the PCI bus: device, function and interrupt pin.
 *
 * Each connection is a device of its own while devices are free. After that, connections become functions 1 to 7 of the
 * module's devices, if the platform routes accesses to these functions. A host bridge with the multi-function bit says
 * so.
 */
#pragma once

#include "connection.h"

/**
 * Puts a connection with interrupt number `irq` on the bus.
 *
 * @param pin receives 1 to 4. Firmware tables route interrupts by device and pin, so functions of one device share a
 * pin only if they have the same number.
 * @return 0, or -1 if the bus is full or there is no memory
 */
int cvmm_pci_enter(vmm_pci_space_t *pci, crossvm_connection_t *connection, int irq, uint8_t *pin);

/** Whether the platform routes accesses to functions 1 to 7. */
bool cvmm_pci_routes_functions(const vmm_pci_space_t *pci);

/** How many functions are free for connections. Interrupt pins may allow fewer. */
size_t cvmm_pci_room(const vmm_pci_space_t *pci);

/** Updates the header types of all functions of a connection's device. Must follow cvmm_config_space_init(). */
void cvmm_pci_update(crossvm_connection_t *connection);

/** Takes a connection off the bus. */
void cvmm_pci_leave(crossvm_connection_t *connection);
