/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ACPI tables. They tell the guest of its processors, interrupt controllers, PCI bus and serial port, and how to power
 * off and reset.
 *
 * They describe a machine without ACPI's fixed hardware ("hardware-reduced"): no PC timer, keyboard controller, clock
 * chip or 8259 interrupt controllers. So a guest spends no time looking for them.
 */
#pragma once

#include <stdint.h>

#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>

/**
 * Writes the tables to LAYOUT_ACPI.
 *
 * @param pci  INTx of its functions is routed as their interrupt line registers say; NULL: no PCI
 * @param root receives the guest physical address of the root pointer
 * @return 0, or -1 after a line in the log
 */
int kvm_acpi_write(vm_t *vm, vmm_pci_space_t *pci, uint64_t *root);
