/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * More of Linux than ../model/kernel.h has: what the guest driver needs to find out what a device is. A resource lies
 * at the address of memory of the test.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "../model/kernel.h"

#define PCI_COMMAND_MEMORY 2
#define PCI_COMMAND_MASTER 4

static inline void memcpy_fromio(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
}

/*
 * Mappings. The test counts those that there are.
 */

extern int kernel_mappings;

static inline void *memremap(resource_size_t start, size_t size, int how)
{
    (void)size;
    (void)how;
    kernel_mappings++;
    return (void *)(uintptr_t)start;
}

static inline void memunmap(void *address)
{
    (void)address;
    kernel_mappings--;
}

static inline void *pci_iomap(const struct pci_dev *pdev, unsigned int bar, size_t size)
{
    return memremap(pdev->resource[bar].start, size, 0);
}

static inline void pci_iounmap(const struct pci_dev *pdev, void *address)
{
    (void)pdev;
    memunmap(address);
}

/*
 * The function itself. The PCI core has one command register, the test's.
 */

extern u16 kernel_command;

static inline int pci_read_config_word(const struct pci_dev *pdev, int reg, u16 *value)
{
    (void)pdev;
    assert(reg == PCI_COMMAND);
    *value = kernel_command;
    return 0;
}

static inline int pci_write_config_word(const struct pci_dev *pdev, int reg, u16 value)
{
    (void)pdev;
    assert(reg == PCI_COMMAND);
    kernel_command = value;
    return 0;
}

static inline int pci_enable_device_mem(struct pci_dev *pdev)
{
    (void)pdev;
    kernel_command |= PCI_COMMAND_MEMORY;
    return 0;
}

static inline void pci_disable_device(struct pci_dev *pdev)
{
    (void)pdev;
    kernel_command &= (u16)~PCI_COMMAND_MASTER;
}

static inline void pci_release_resource(struct pci_dev *pdev, int bar)
{
    pdev->resource[bar].parent = NULL;
}

/** The test's: 0 if the bus has room for the resource. */
int pci_assign_resource(struct pci_dev *pdev, int bar);
