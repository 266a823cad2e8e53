/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What differs between an Arm and an x86 guest: addresses of devices, free interrupts, and how the guest sees PCI.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>

/** Guest physical addresses for the BARs: free, and PCI memory to the guest. */
struct platform_window {
    uintptr_t base;
    size_t size; /**< bytes */
};
extern const struct platform_window platform_window;

/** An alloc_irq: returns numbers that no device of the guest has, each once, then -1. */
int platform_allocate_irq(void);

/** Shows the configuration space of `pci` to the guest. Returns 0 or -1. */
int platform_show_pci(vm_t *vm, vmm_pci_space_t *pci);

/**
 * Describes PCI and the interrupts of its devices to the guest. Call it after all connections are installed.
 *
 * @param fdt Arm: the guest's device tree, with room to grow; x86: not used
 * @param gic Arm: the phandle of the interrupt controller in it; x86: not used
 * @return 0 or -1
 */
int platform_describe_pci(vm_t *vm, vmm_pci_space_t *pci, void *fdt, int gic);
