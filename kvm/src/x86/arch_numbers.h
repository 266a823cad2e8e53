/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of arch.h for x86-64. */
#pragma once

/* An interrupt's number is its input of the IOAPIC; below 16, of the PICs too. */
#define ARCH_NUM_IRQS 24
#define ARCH_FIXED_ROUTES 40
#define ARCH_FIRST_MSI_GSI 24
#define ARCH_MSI_FLAGS 0 /* interrupt controllers do not tell devices apart */

#define ARCH_CONSOLE_IRQ 4

#define ARCH_PROCESSOR KVM_PROCESSOR_X86_64
