/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of arch.h for arm64. */
#pragma once

#include <linux/kvm.h>

#include <sel4vm_kvm_arch.h>

/* An interrupt's number is the INTID of a shared interrupt, for KVM's routing table too. */
#define ARCH_NUM_IRQS (KVM_LAST_IRQ + 1)
#define ARCH_FIXED_ROUTES (ARCH_NUM_IRQS - KVM_FIRST_IRQ)
#define ARCH_FIRST_MSI_GSI ARCH_NUM_IRQS
#define ARCH_MSI_FLAGS KVM_MSI_VALID_DEVID /* the ITS has a table for each device */

#define ARCH_CONSOLE_IRQ 33

#define ARCH_PROCESSOR KVM_PROCESSOR_ARM64
