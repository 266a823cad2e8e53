/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * More of Linux than ../model/kernel.h has: what the guest driver needs to find out what a device is. A resource lies
 * at the address of memory of the test.
 */
#pragma once

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "../model/kernel.h"

typedef uint8_t u8;
typedef uint16_t u16;

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE_SIZE 4096UL
#define IS_ALIGNED(value, to) (((value) & ((to)-1)) == 0)
#define PAGE_ALIGNED(value) IS_ALIGNED(value, PAGE_SIZE)
#define lockdep_assert_held(lock) ((void)(lock))
#define dev_warn dev_err

#define PCI_STD_NUM_BARS 6
#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY 2
#define PCI_COMMAND_MASTER 4
#define IORESOURCE_MEM 0x200u
#define IORESOURCE_UNSET 0x20000000u
#define MEMREMAP_WB 1

#define pci_resource_flags(pdev, bar) ((pdev)->resource[bar].flags)
#define pci_resource_start(pdev, bar) ((pdev)->resource[bar].start)
#define pci_resource_len(pdev, bar) ((pdev)->resource[bar].end ? resource_size(&(pdev)->resource[bar]) : 0)

static inline resource_size_t resource_size(const struct resource *resource)
{
    return resource->end - resource->start + 1;
}

static inline void memcpy_fromio(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
}

static inline void strscpy(char *to, const char *from, size_t size)
{
    (void)snprintf(to, size, "%s", from);
}

static inline bool __test_and_set_bit(unsigned int bit, unsigned long *bits)
{
    bool was_set = *bits >> bit & 1;

    *bits |= 1ul << bit;
    return was_set;
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
