/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration mechanism #1: handlers for ports 0xcf8 to 0xcff, whose cookie is the vmm_pci_space_t. */
#pragma once

#include <pci/helper.h>
#include <sel4vm/arch/ioports.h>
#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>

ioport_fault_result_t vmm_pci_io_port_in(vm_vcpu_t *vcpu, void *cookie, unsigned int port_no, unsigned int size,
                                         unsigned int *result);

ioport_fault_result_t vmm_pci_io_port_out(vm_vcpu_t *vcpu, void *cookie, unsigned int port_no, unsigned int size,
                                          unsigned int value);
