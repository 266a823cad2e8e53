/* SPDX-License-Identifier: BSD-2-Clause */
/* The input of the interrupt controller to which each INTx pin goes, for the tables of the guest. */
#pragma once

#include <stdint.h>

#include <sel4vmmplatsupport/drivers/pci.h>

#define KVM_PCI_DEVICES 32
#define KVM_PCI_PINS 4

/** By device and pin (0 is INTA): the input, or 0 for a pin that no function uses. */
struct kvm_pci_intx {
    uint8_t line[KVM_PCI_DEVICES][KVM_PCI_PINS];
};

/** Asks the functions, by their interrupt pin and line registers. */
void kvm_pci_intx_collect(vmm_pci_space_t *pci, struct kvm_pci_intx *intx);
