/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As much of Linux as the driver needs to probe a PCI function, beside tests/model/kernel.h: linux/main.c, describe.c
 * and region.c are compiled with it as they are. What a device can change is the target's; the rest succeeds.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "../model/kernel.h"

typedef uint16_t u16;

#define static_assert(condition) _Static_assert(condition, #condition)
#define PAGE_SIZE 4096ul
#define IS_ALIGNED(value, size) (((value) & ((size)-1)) == 0)
#define PAGE_ALIGNED(value) IS_ALIGNED(value, PAGE_SIZE)
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))

static inline void strscpy(char *to, const char *from, size_t size)
{
    (void)snprintf(to, size, "%s", from);
}

static inline int __test_and_set_bit(unsigned int bit, unsigned long *bits)
{
    int was_set = (int)(*bits >> bit & 1);

    *bits |= 1ul << bit;
    return was_set;
}

/*
 * Memory: the target's
 */

#define MEMREMAP_WB 1

void *memremap(resource_size_t address, size_t size, int flags);
void memunmap(void *memory);
void memcpy_fromio(void *to, const void *from, size_t size);

/*
 * PCI
 */

#define IORESOURCE_IO 0x100ul
#define IORESOURCE_MEM 0x200ul
#define IORESOURCE_UNSET 0x20000000ul
#define PCI_COMMAND 4

static inline resource_size_t resource_size(const struct resource *resource)
{
    return resource->end - resource->start + 1;
}

#define pci_resource_flags(pdev, bar) ((pdev)->resource[bar].flags)
#define pci_resource_start(pdev, bar) ((pdev)->resource[bar].start)
#define pci_resource_len(pdev, bar)                                                                                    \
    ((pdev)->resource[bar].end || (pdev)->resource[bar].start ? resource_size(&(pdev)->resource[bar]) : 0)

void *pci_iomap(struct pci_dev *pdev, int bar, unsigned long most);
void pci_iounmap(struct pci_dev *pdev, void *memory);
int pci_enable_device_mem(struct pci_dev *pdev);
int pci_enable_device(struct pci_dev *pdev);
void pci_disable_device(struct pci_dev *pdev);
int pci_request_regions(struct pci_dev *pdev, const char *name);
void pci_release_regions(struct pci_dev *pdev);
void pci_release_resource(struct pci_dev *pdev, int bar);
int pci_assign_resource(struct pci_dev *pdev, int bar);
void pci_read_config_word(struct pci_dev *pdev, int where, u16 *value);
void pci_write_config_word(struct pci_dev *pdev, int where, u16 value);

static inline void pci_set_master(struct pci_dev *pdev)
{
    (void)pdev;
}

static inline void pci_free_irq_vectors(struct pci_dev *pdev)
{
    (void)pdev;
}

static inline void pci_set_drvdata(struct pci_dev *pdev, void *data)
{
    pdev->dev.drvdata = data;
}

static inline void *pci_get_drvdata(struct pci_dev *pdev)
{
    return pdev->dev.drvdata;
}

static inline void *dev_get_drvdata(struct device *dev)
{
    return dev->drvdata;
}

/** The target frees it. */
void *devm_kzalloc(struct device *dev, size_t size, int flags);

#define dev_warn dev_err
#define lockdep_assert_held(lock) ((void)(lock))

static inline void mutex_init(struct mutex *mutex)
{
    (void)mutex;
}

/*
 * UIO
 */

int uio_register_device(struct device *parent, struct uio_info *uio);
void uio_unregister_device(struct uio_info *uio);

/*
 * The module
 */

struct dev_pm_ops {
    int (*suspend)(struct device *dev);
    int (*resume)(struct device *dev);
    int (*freeze)(struct device *dev);
    int (*thaw)(struct device *dev);
    int (*poweroff)(struct device *dev);
    int (*restore)(struct device *dev);
};

#define pm_sleep_ptr(pointer) (pointer)

struct pci_device_id {
    unsigned int vendor, device;
};

#define PCI_DEVICE(its_vendor, its_device) .vendor = (its_vendor), .device = (its_device)

struct pci_driver {
    const char *name;
    const struct pci_device_id *id_table;
    int (*probe)(struct pci_dev *pdev, const struct pci_device_id *id);
    void (*remove)(struct pci_dev *pdev);
    void (*shutdown)(struct pci_dev *pdev);
    const struct attribute_group **dev_groups;
    struct {
        const struct dev_pm_ops *pm;
    } driver;
};

/** The driver, as the module gives it to Linux. */
extern struct pci_driver *const kernel_driver;

#define module_pci_driver(its_driver) struct pci_driver *const kernel_driver = &(its_driver)
#define MODULE_DEVICE_TABLE(bus, table) extern int module_unused
#define MODULE_DESCRIPTION(text) extern int module_unused
#define MODULE_LICENSE(text) extern int module_unused
