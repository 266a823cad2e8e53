// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for the tests that knows the base block only, registers 0x00 to 0x37: it uses INTx,
 * acknowledges by storing 0 to the count, and says nothing to the device when it leaves.
 */

#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uio_driver.h>

#define BASE_COUNT 0x04
#define BASE_NAME 0x08
#define BASE_NAME_BYTES 48

struct base_device {
    struct uio_info uio;
    u8 *registers;
    char name[BASE_NAME_BYTES + 1];
};

static irqreturn_t base_interrupt(int irq, struct uio_info *uio)
{
    struct base_device *base = container_of(uio, struct base_device, uio);
    u32 *count = (u32 *)(base->registers + BASE_COUNT);

    if (!READ_ONCE(*count))
        return IRQ_NONE;
    WRITE_ONCE(*count, 0);
    return IRQ_HANDLED;
}

static int base_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
    struct base_device *base = kzalloc(sizeof(*base), GFP_KERNEL);
    int ret;
    int i;

    if (!base)
        return -ENOMEM;
    ret = pci_enable_device(pdev);
    if (ret)
        goto free;
    ret = pci_request_regions(pdev, "base_driver");
    if (ret)
        goto disable;
    base->registers = memremap(pci_resource_start(pdev, 0), pci_resource_len(pdev, 0), MEMREMAP_WB);
    if (!base->registers) {
        ret = -ENOMEM;
        goto release;
    }
    memcpy(base->name, base->registers + BASE_NAME, BASE_NAME_BYTES);
    base->uio.name = base->name;
    base->uio.version = "1";
    for (i = 0; i < 2 && pci_resource_len(pdev, i); i++) {
        base->uio.mem[i].addr = pci_resource_start(pdev, i);
        base->uio.mem[i].size = pci_resource_len(pdev, i);
        base->uio.mem[i].memtype = UIO_MEM_IOVA;
    }
    base->uio.irq = pdev->irq;
    base->uio.irq_flags = IRQF_SHARED;
    base->uio.handler = base_interrupt;
    ret = uio_register_device(&pdev->dev, &base->uio);
    if (ret)
        goto unmap;
    pci_set_drvdata(pdev, base);
    return 0;

unmap:
    memunmap(base->registers);
release:
    pci_release_regions(pdev);
disable:
    pci_disable_device(pdev);
free:
    kfree(base);
    return ret;
}

static void base_remove(struct pci_dev *pdev)
{
    struct base_device *base = pci_get_drvdata(pdev);

    uio_unregister_device(&base->uio);
    memunmap(base->registers);
    pci_release_regions(pdev);
    pci_disable_device(pdev);
    kfree(base);
}

/* Only devices that are given to it by driver_override. */
static const struct pci_device_id base_ids[] = {
    {PCI_DEVICE_DRIVER_OVERRIDE(0x1af4, 0xa111, PCI_ID_F_VFIO_DRIVER_OVERRIDE)}, {}};

static struct pci_driver base_driver = {
    .name = "base_driver",
    .id_table = base_ids,
    .probe = base_probe,
    .remove = base_remove,
};
module_pci_driver(base_driver);

MODULE_DESCRIPTION("Test driver for the base block of cross-VM connection devices");
MODULE_LICENSE("GPL");
