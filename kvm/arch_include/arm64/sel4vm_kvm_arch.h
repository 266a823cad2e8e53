/* SPDX-License-Identifier: BSD-2-Clause */
/* libsel4vm on Linux KVM: the machine around an arm64 guest. */
#pragma once

/** Where the guest's RAM begins. There is room for 2 GiB up to the PCI window. */
#define KVM_RAM_BASE 0x40000000UL

/** The guest physical addresses that are free for BARs. */
#define KVM_PCI_WINDOW_BASE 0xc0000000UL
#define KVM_PCI_WINDOW_SIZE 0x30000000UL

/** The first and the last input of the interrupt controller that vm_register_irq() takes: INTIDs of the GIC's shared
 * interrupts. The PCI interrupt line register has no room for higher numbers. */
#define KVM_FIRST_IRQ 32
#define KVM_LAST_IRQ 255

/** A store of any width to this guest physical address ends the VM with its lowest byte as status, 0 to 255. The device
 * tree does not name it, so Linux lets a process map it by /dev/mem. */
#define KVM_EXIT_REGISTER 0x09010000UL
