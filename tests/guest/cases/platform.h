/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests do on one architecture in another way than on the other. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Prepares the guest's process for the calls below. */
void platform_open(void);

/* A word of configuration space, past Linux. */
uint32_t pci_config_read(unsigned int bus, unsigned int dev, unsigned int fun, unsigned int offset);

/* The input of the interrupt controller that INTx of a device goes to, as the VMM describes it to the guest; 0: it does
 * not. */
unsigned int pci_intx(unsigned int dev, unsigned int fun);

/* Whether memory of devices takes stores at any address; else only at a multiple of their width. */
extern const bool unaligned_stores;

/* Stores by instructions that are special to the architecture. */
void instruction_cases(void);

/* Ends the VM with a status. */
__attribute__((noreturn)) void platform_exit(int status);
