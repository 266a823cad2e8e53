/* SPDX-License-Identifier: BSD-2-Clause */
/* libsel4vm on Linux KVM: the machine around an arm64 guest. */
#pragma once

/** Where the guest's RAM begins. Up to the PCI window there is room for 2 GiB. */
#define KVM_RAM_BASE 0x40000000UL

/** Bounds of the guest physical space that is free for BARs. */
#define KVM_PCI_WINDOW_BASE 0xc0000000UL
#define KVM_PCI_WINDOW_SIZE 0x30000000UL

/** The first and the last input of the interrupt controller (the GIC's shared interrupts, by their INTID) that
 * vm_register_irq() takes. The last is what a PCI interrupt line register can carry. */
#define KVM_FIRST_IRQ 32
#define KVM_LAST_IRQ 255

/** A store of any width to this guest physical address ends the VM with the lowest byte as status, 0 to 255. The device
 * tree says nothing of it, so that Linux leaves it to a process that maps /dev/mem. */
#define KVM_EXIT_REGISTER 0x09010000UL
