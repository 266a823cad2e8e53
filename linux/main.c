// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest driver for cross-VM connection devices.
 *
 * A connection is a PCI function: BAR0 is the event page (registers, and for some devices a page
 * that the peer writes), each further BAR a dataport. Over ivshmem all of it lies in BAR2, see
 * region.c. The driver makes one UIO device of it: map 0 is the event page, maps 1 to 4 are the
 * dataports, and read() on the device waits for the peer's next event. All of it is RAM that the
 * VMM shares with the guest.
 */

#include <linux/module.h>
#include <linux/pm.h>

#include <crossvm/version.h>

#include "crossvm.h"

static int crossvm_map_registers(struct crossvm_device *cv)
{
	struct pci_dev *pdev = cv->pdev;
	resource_size_t start = pci_resource_start(pdev, CROSSVM_BAR_EVENT);
	resource_size_t size;

	if (pdev->device == CROSSVM_IVSHMEM_PCI_DEVICE)
		return crossvm_map_region(cv);
	if (!crossvm_bar_holds(pdev, CROSSVM_BAR_EVENT, CROSSVM_PAGE_SIZE)) {
		dev_err(&pdev->dev, "BAR0 is no page of memory: the VMM describes it wrongly\n");
		return -EINVAL;
	}
	size = min_t(resource_size_t, pci_resource_len(pdev, CROSSVM_BAR_EVENT),
		     CROSSVM_DRIVER_PAGE + CROSSVM_PAGE_SIZE);
	/* Cached like the other end's mapping of this RAM: else arm64 may show old contents. */
	cv->memory = memremap(start, size, MEMREMAP_WB);
	if (!cv->memory) {
		dev_err(&pdev->dev, "cannot map BAR0\n");
		return -ENOMEM;
	}
	cv->regs = (void __iomem __force *)cv->memory;
	return 0;
}

static void crossvm_unmap_registers(struct crossvm_device *cv)
{
	if (cv->doorbell)
		crossvm_unmap_region(cv);
	else
		memunmap(cv->memory);
}

static void crossvm_disable(struct pci_dev *pdev)
{
	/* pci_enable_device() turned INTx on, and so did freeing an MSI. */
	pci_intx(pdev, 0);
	pci_disable_device(pdev);
}

static int crossvm_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct crossvm_device *cv;
	int ret;

	/* Without a message: it may be another driver's, or be used without one. */
	if (pdev->device == CROSSVM_IVSHMEM_PCI_DEVICE && !crossvm_is_region(pdev))
		return -ENODEV;

	if (PAGE_SIZE > CROSSVM_PAGE_SIZE) {
		dev_err(&pdev->dev,
			"dataports are multiples of %u bytes, and this kernel's pages have %lu: use a kernel with pages of %u bytes\n",
			CROSSVM_PAGE_SIZE, PAGE_SIZE, CROSSVM_PAGE_SIZE);
		return -EOPNOTSUPP;
	}

	/* Open files and mappings refer to UIO's own device, so this one may go before them. */
	cv = devm_kzalloc(&pdev->dev, sizeof(*cv), GFP_KERNEL);
	if (!cv)
		return -ENOMEM;
	cv->pdev = pdev;
	mutex_init(&cv->lock);
	INIT_LIST_HEAD(&cv->nodes);

	if (pdev->device == CROSSVM_IVSHMEM_PCI_DEVICE)
		crossvm_move_doorbell(pdev);
	ret = pci_enable_device(pdev);
	if (ret)
		return ret;
	ret = pci_request_regions(pdev, KBUILD_MODNAME);
	if (ret)
		goto disable;
	ret = crossvm_map_registers(cv);
	if (ret)
		goto release_regions;
	ret = crossvm_describe(cv);
	if (ret)
		goto unmap;
	ret = crossvm_set_memory_types(cv);
	if (ret)
		goto unmap;
	pci_set_master(pdev); /* an MSI is a write of the device's */
	ret = crossvm_alloc_irq(cv);
	if (ret)
		goto unset_types;
	/* Processes may open the device, and interrupts come, from here on. */
	ret = uio_register_device(&pdev->dev, &cv->uio);
	if (ret) {
		dev_err(&pdev->dev, "cannot make a UIO device with interrupt %ld: error %d\n",
			(long)pci_irq_vector(pdev, 0), ret);
		goto free_irq;
	}
	ret = crossvm_join_line(cv);
	if (ret)
		goto unregister;
	pci_set_drvdata(pdev, cv);
	crossvm_go_live(cv, true);
	return 0;

unregister:
	uio_unregister_device(&cv->uio);
	crossvm_cut_off(cv);
free_irq:
	pci_free_irq_vectors(pdev);
unset_types:
	crossvm_unset_memory_types(cv);
unmap:
	crossvm_unmap_registers(cv);
release_regions:
	pci_release_regions(pdev);
disable:
	crossvm_disable(pdev);
	return ret;
}

/*
 * Processes that have the device open get EIO from then on, and what they have mapped is memory of
 * their own.
 */
static void crossvm_remove(struct pci_dev *pdev)
{
	struct crossvm_device *cv = pci_get_drvdata(pdev);

	crossvm_go_quiet(cv);
	crossvm_leave_line(cv);
	/* Waits for the handler and the hooks. After it, no code accesses the registers. */
	uio_unregister_device(&cv->uio);
	crossvm_cut_off(cv);
	pci_free_irq_vectors(pdev);
	crossvm_unset_memory_types(cv);
	crossvm_unmap_registers(cv);
	pci_release_regions(pdev);
	crossvm_disable(pdev);
}

/* For the kernel that follows (kexec). The handler and the hooks may still run. */
static void crossvm_shutdown(struct pci_dev *pdev)
{
	crossvm_go_quiet(pci_get_drvdata(pdev));
}

/*
 * Sleep. DRIVER keeps its value in a suspended guest, since its programs are still there; they are
 * woken for events of that time when the guest resumes.
 *
 * A guest that resumes from hibernation may find the device as it is at power-on. The PCI core
 * restores configuration space, and crossvm_restore() does the rest.
 */

/* The PCI core saves configuration space after this, so INTx is off in what it restores, too. */
static int crossvm_suspend(struct device *dev)
{
	crossvm_enable_intx(dev_get_drvdata(dev), false);
	return 0;
}

/* The kernel calls this also after it made a hibernation image, and if it fails to power off. */
static int crossvm_resume(struct device *dev)
{
	crossvm_go_live(dev_get_drvdata(dev), false);
	return 0;
}

/* The hibernation image is made, and the guest is about to power off. */
static int crossvm_poweroff(struct device *dev)
{
	crossvm_go_quiet(dev_get_drvdata(dev));
	return 0;
}

/*
 * The kernel that loaded the image may have had programs at this device. They are gone, so even
 * OPEN over OPEN is news to the peer.
 */
static int crossvm_restore(struct device *dev)
{
	crossvm_go_live(dev_get_drvdata(dev), true);
	return 0;
}

static const struct dev_pm_ops crossvm_pm_ops = {
	.suspend = pm_sleep_ptr(crossvm_suspend),
	.resume = pm_sleep_ptr(crossvm_resume),
	.freeze = pm_sleep_ptr(crossvm_suspend),
	.thaw = pm_sleep_ptr(crossvm_resume),
	.poweroff = pm_sleep_ptr(crossvm_poweroff),
	.restore = pm_sleep_ptr(crossvm_restore),
};

static const struct pci_device_id crossvm_ids[] = {
	{ PCI_DEVICE(CROSSVM_PCI_VENDOR, CROSSVM_PCI_DEVICE) },
	{ PCI_DEVICE(CROSSVM_PCI_VENDOR, CROSSVM_IVSHMEM_PCI_DEVICE) },
	{}
};
MODULE_DEVICE_TABLE(pci, crossvm_ids);

static struct pci_driver crossvm_driver = {
	.name = KBUILD_MODNAME,
	.id_table = crossvm_ids,
	.probe = crossvm_probe,
	.remove = crossvm_remove,
	.shutdown = crossvm_shutdown,
	.dev_groups = crossvm_groups,
	.driver.pm = pm_sleep_ptr(&crossvm_pm_ops),
};
module_pci_driver(crossvm_driver);

MODULE_DESCRIPTION("Cross-VM connections: events and shared memory between this guest and a peer");
MODULE_LICENSE("GPL");
MODULE_VERSION(CROSSVM_VERSION_STRING);
