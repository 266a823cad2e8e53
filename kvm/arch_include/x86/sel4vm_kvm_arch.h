/* SPDX-License-Identifier: BSD-2-Clause */
/* libsel4vm on Linux KVM: the machine around an x86-64 guest. */
#pragma once

/** Where the guest's RAM begins. There is room for 3 GiB up to the PCI window. */
#define KVM_RAM_BASE 0x0UL

/** The guest physical addresses that are free for BARs. */
#define KVM_PCI_WINDOW_BASE 0xc0000000UL
#define KVM_PCI_WINDOW_SIZE 0x30000000UL

/** The first and the last input of the interrupt controller that vm_register_irq() takes: inputs of the IOAPIC. */
#define KVM_FIRST_IRQ 1
#define KVM_LAST_IRQ 23

/** A byte that the guest writes to this I/O port ends the VM with that status, 0 to 255. */
#define KVM_EXIT_PORT 0xf4
