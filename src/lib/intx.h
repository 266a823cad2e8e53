/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt line of a device under uio_pci_generic.
 *
 * That driver does not know the device. At an interrupt it sets Interrupt Disable in the PCI command register, and
 * counts the interrupt. The program removes the cause and clears the bit. Calls set no sentence.
 */
#pragma once

#include <stdint.h>

#include "uio_device.h"

struct intx {
    int config;           /* configuration space of the device */
    uint8_t command_high; /* upper byte of its command register with Interrupt Disable clear */
};

/** Opens the configuration space. Returns 0 or a negative errno value, with nothing to close then. */
int cvm_intx_open(struct intx *intx, const struct uio_device *device);
void cvm_intx_close(struct intx *intx);

/** Lets the device interrupt again: an exit to the VMM. Returns 0 or a negative errno value. */
int cvm_intx_unmask(const struct intx *intx);
