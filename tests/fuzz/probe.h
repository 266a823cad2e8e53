/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As much of Linux as the driver needs to probe a PCI function, beside tests/model/kernel.h: linux/main.c, describe.c
 * and region.c are compiled with it as they are. What a device can change is the target's; the rest succeeds.
 */
#pragma once

#include "../model/kernel.h"

#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))

/*
 * Memory: the target's
 */

void *memremap(resource_size_t address, size_t size, int flags);
void memunmap(void *memory);
void memcpy_fromio(void *to, const void *from, size_t size);

/*
 * PCI
 */

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
#define MODULE_VERSION(text) extern int module_unused
