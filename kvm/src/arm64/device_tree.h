/* SPDX-License-Identifier: BSD-2-Clause */
/* The device tree. It tells the guest of its processors, memory, interrupt controller, PCI bus and serial port. */
#pragma once

#include <stdint.h>

#include <sel4vm/guest_vm.h>
#include <sel4vmmplatsupport/drivers/pci.h>

/** What is not known from the VM. */
struct device_tree_content {
    const char *command_line;
    struct device_tree_initramfs {
        uint64_t start;
        uint64_t end; /**< 0: there is none */
    } initramfs;
    vmm_pci_space_t *pci; /**< INTx of its functions is routed as their interrupt line registers say; NULL: no PCI */
};

/** Writes the tree to `memory`, which has LAYOUT_DEVICE_TREE_SIZE bytes. Returns 0, or -1 after a line in the log. */
int kvm_device_tree_write(vm_t *vm, const struct device_tree_content *content, void *memory);
