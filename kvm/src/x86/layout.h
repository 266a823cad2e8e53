/* SPDX-License-Identifier: BSD-2-Clause */
/* The layout of guest physical memory. */
#pragma once

#include <sel4vm_kvm.h>

/* Below 640 KiB, in RAM that the kernel may use later. */
#define LAYOUT_GDT 0x6000
#define LAYOUT_GDT_SIZE 32
#define LAYOUT_BOOT_PARAMS 0x7000
#define LAYOUT_PAGE_TABLES 0x9000 /* one of each upper level, four of 1 GiB each */
#define LAYOUT_PAGE_TABLES_SIZE 0x6000
#define LAYOUT_COMMAND_LINE 0x20000
#define LAYOUT_COMMAND_LINE_SIZE 2048
#define LAYOUT_SEED 0x21000

/* Not for the kernel's use. */
#define LAYOUT_LOW_RAM_END 0x9f000
#define LAYOUT_ACPI 0xe0000 /* where the kernel looks for ACPI tables */
#define LAYOUT_ACPI_END 0xff000
#define LAYOUT_RESET_VECTOR 0xffff0
#define LAYOUT_HIGH_RAM 0x100000

/* Interrupt controllers, at KVM's addresses. */
#define LAYOUT_LAPIC 0xfee00000
#define LAYOUT_IOAPIC 0xfec00000
