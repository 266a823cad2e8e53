/* SPDX-License-Identifier: BSD-2-Clause */
/* Layers of emulation over a PCI function, which vmm_pci_create_..._emulation() of pci_helper.h makes. */
#pragma once

#include <sel4vmmplatsupport/drivers/pci.h>

/** Frees the layers of a function. The function below them stays its owner's. */
void kvm_pci_layers_free(vmm_pci_entry_t entry);
