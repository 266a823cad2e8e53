/* SPDX-License-Identifier: BSD-2-Clause */
/* Emulation laid over a PCI function: the vmm_pci_create_..._emulation() calls of pci_helper.h. */
#pragma once

#include <sel4vmmplatsupport/drivers/pci.h>

/** Frees the layers of a function; what is below them stays its owner's. */
void kvm_pci_layers_free(vmm_pci_entry_t entry);
