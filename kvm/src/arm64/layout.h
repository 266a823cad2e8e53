/* SPDX-License-Identifier: BSD-2-Clause */
/* The layout of guest physical memory. RAM, BARs and exit register are in sel4vm_kvm_arch.h. */
#pragma once

#include <sel4vm_kvm_arch.h>

/* Interrupt controllers, below RAM, with room for pages of 64 KiB. */
#define LAYOUT_GIC_DISTRIBUTOR 0x08000000ul
#define LAYOUT_GIC_DISTRIBUTOR_SIZE 0x10000ul
#define LAYOUT_GIC_CPU 0x08010000ul /* GICv2 */
#define LAYOUT_GIC_CPU_SIZE 0x2000ul
#define LAYOUT_GIC_ITS 0x08080000ul
#define LAYOUT_GIC_ITS_SIZE 0x20000ul
#define LAYOUT_GIC_REDISTRIBUTORS 0x080a0000ul
#define LAYOUT_GIC_REDISTRIBUTOR_SIZE 0x20000ul /* for each vCPU */

#define LAYOUT_CONSOLE 0x09000000ul
#define LAYOUT_CONSOLE_SIZE 0x1000ul

/* PCI configuration space of one bus, mapped (PCI Express Base Specification, section 7.2.2). */
#define LAYOUT_ECAM 0x10000000ul
#define LAYOUT_ECAM_SIZE 0x100000ul

/* RAM may go on here. */
#define LAYOUT_HIGH_RAM 0x100000000ul

/* The device tree is at the end of the first region of RAM. */
#define LAYOUT_DEVICE_TREE_SIZE 0x10000ul

/* KVM's private interrupts of the timers, counted from INTID 16, as in the device tree. */
#define LAYOUT_PPI_TIMER_SECURE 13
#define LAYOUT_PPI_TIMER_PHYSICAL 14
#define LAYOUT_PPI_TIMER_VIRTUAL 11
#define LAYOUT_PPI_TIMER_HYPERVISOR 10

#define LAYOUT_FIRST_SPI 32 /* INTID of shared interrupt 0 */

/* Interrupts for PCI; 33 is the console's. The last is for devices that come after boot. */
#define LAYOUT_FIRST_PCI_IRQ 64
#define LAYOUT_LATE_PCI_IRQ KVM_LAST_IRQ
