/* SPDX-License-Identifier: BSD-2-Clause */
/* How the guest of kvm_fixture.h reaches devices on each architecture. Accesses are of 1, 2 or 4 bytes. */
#pragma once

#include <stdint.h>

/** Configuration space of a function on bus 0, after kvm_pci_attach(). */
uint32_t config_load(unsigned int dev, unsigned int fun, unsigned int reg, unsigned int size);
void config_store(unsigned int dev, unsigned int fun, unsigned int reg, unsigned int size, uint32_t value);

/** Registers of the console, after kvm_console_create(). */
uint32_t serial_load(unsigned int reg, unsigned int size);
void serial_store(unsigned int reg, unsigned int size, uint32_t value);

/** The console's interrupt, and how many kvm_irq_allocate() gives. */
extern const int platform_console_irq;
extern const int platform_spare_irqs;
