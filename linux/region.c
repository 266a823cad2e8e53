// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device over ivshmem: registers and dataports lie in a region, which is BAR2 of a function
 * that QEMU calls ivshmem-doorbell; its doorbell is in BAR0. The memory of such a function may be
 * anything. So this driver takes one only if it finds its own mark there, and leaves all others as
 * they were.
 *
 * The peer and its VMM can write all of the region. What is loaded from it is checked, and decides
 * about this connection only.
 */

#include "crossvm.h"

#define CROSSVM_DOORBELL_BYTES 0x10

static bool crossvm_has_mark(struct pci_dev *pdev)
{
	void *page = memremap(pci_resource_start(pdev, CROSSVM_IVSHMEM_BAR_REGION),
			      CROSSVM_PAGE_SIZE, MEMREMAP_WB);
	void __iomem *regs = (void __iomem __force *)page;
	bool found;

	if (!page)
		return false;
	/* In this order, since the magic comes last in a region that is being filled. */
	found = crossvm_load64(regs + CROSSVM_REGION_MAGIC) == CROSSVM_REGION_MAGIC_VALUE &&
		readl(regs + CROSSVM_REGION_VERSION) >> 16 == CROSSVM_REGION_VERSION_MAJOR;
	memunmap(page);
	return found;
}

bool crossvm_is_region(struct pci_dev *pdev)
{
	bool found;
	u16 command;

	if (pci_resource_flags(pdev, CROSSVM_IVSHMEM_BAR_REGION) & IORESOURCE_UNSET ||
	    !crossvm_bar_holds(pdev, CROSSVM_IVSHMEM_BAR_REGION, CROSSVM_REGION_DATAPORTS))
		return false;
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (pci_enable_device_mem(pdev))
		return false;
	found = crossvm_has_mark(pdev);
	pci_disable_device(pdev);
	/* That leaves memory space enabled, and clears bus master. */
	pci_write_config_word(pdev, PCI_COMMAND, command);
	return found;
}

/*
 * A program that cannot map the doorbell makes a system call for each event. It may map no other
 * device's registers, though, and BAR0 is smaller than a page: firmware and kernels put several of
 * them into one. So the kernel is told that the BAR has a page, and finds it a place of its own.
 */
void crossvm_move_doorbell(struct pci_dev *pdev)
{
	struct resource *bar = &pdev->resource[CROSSVM_IVSHMEM_BAR_DOORBELL];
	resource_size_t size = resource_size(bar);

	if (!(bar->flags & IORESOURCE_MEM) || size >= PAGE_SIZE || !bar->parent)
		return;
	pci_release_resource(pdev, CROSSVM_IVSHMEM_BAR_DOORBELL);
	bar->end = bar->start + PAGE_SIZE - 1;
	if (!pci_assign_resource(pdev, CROSSVM_IVSHMEM_BAR_DOORBELL))
		return;
	bar->end = bar->start + size - 1;
	if (pci_assign_resource(pdev, CROSSVM_IVSHMEM_BAR_DOORBELL))
		dev_err(&pdev->dev, "BAR0 has lost its place: remove the device and rescan its bus\n");
}

int crossvm_map_region(struct crossvm_device *cv)
{
	struct pci_dev *pdev = cv->pdev;
	u32 end;

	/* Of a BAR of ports, readl() would load from an address that is none. */
	if (!(pci_resource_flags(pdev, CROSSVM_IVSHMEM_BAR_DOORBELL) & IORESOURCE_MEM) ||
	    pci_resource_len(pdev, CROSSVM_IVSHMEM_BAR_DOORBELL) < CROSSVM_DOORBELL_BYTES) {
		dev_err(&pdev->dev, "BAR0 has no doorbell: the VMM describes it wrongly\n");
		return -EINVAL;
	}
	cv->doorbell = pci_iomap(pdev, CROSSVM_IVSHMEM_BAR_DOORBELL, CROSSVM_DOORBELL_BYTES);
	if (!cv->doorbell) {
		dev_err(&pdev->dev, "cannot map BAR0\n");
		return -ENOMEM;
	}
	end = readl(cv->doorbell + CROSSVM_IVSHMEM_POSITION);
	if (end > 1) {
		dev_err(&pdev->dev, "it is end %u, which is neither 0 nor 1: the VMM has it from another server\n",
			end);
		pci_iounmap(pdev, cv->doorbell);
		return -EINVAL;
	}
	cv->memory = memremap(pci_resource_start(pdev, CROSSVM_IVSHMEM_BAR_REGION),
			      CROSSVM_REGION_DATAPORTS, MEMREMAP_WB);
	if (!cv->memory) {
		dev_err(&pdev->dev, "cannot map BAR2\n");
		pci_iounmap(pdev, cv->doorbell);
		return -ENOMEM;
	}
	cv->end = end;
	cv->regs = (void __iomem __force *)cv->memory + CROSSVM_REGION_EVENT_PAGE(end);
	return 0;
}

void crossvm_unmap_region(struct crossvm_device *cv)
{
	memunmap(cv->memory);
	pci_iounmap(cv->pdev, cv->doorbell);
}

/*
 * The word also counts who came, since the hub may look only after several stores: a program that
 * came after another one had gone is news, even if the state is the same again.
 */
void crossvm_tell_hub(struct crossvm_device *cv, u32 state, bool came)
{
	u32 word = readl(cv->driver) & ~CROSSVM_REGION_DRIVER_STATE;

	if (came)
		word += CROSSVM_REGION_DRIVER_CAME;
	writel(word | state, cv->driver);
	/* writel() orders the store above before its own, which pairs with the hub's load. */
	writel(CROSSVM_IVSHMEM_TO_HUB, cv->doorbell + CROSSVM_IVSHMEM_DOORBELL);
}

/* A write() of a program that cannot map the doorbell: it has counted an event. */
int crossvm_emit(struct uio_info *uio, s32 value)
{
	struct crossvm_device *cv = to_crossvm(uio);

	writel(CROSSVM_IVSHMEM_TO_END(1 - cv->end), cv->doorbell + CROSSVM_IVSHMEM_DOORBELL);
	return 0;
}
