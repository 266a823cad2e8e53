// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device says of itself. It is read once, checked, and used from the copy: the VMM is not
 * trusted with the guest's memory.
 */

#include <linux/build_bug.h>
#include <linux/string.h>

#include "crossvm.h"

#define DEFAULT_NAME "connector"

/* One map for the event page, one for each dataport. */
static_assert(1 + CROSSVM_MAX_DATAPORTS <= MAX_UIO_MAPS);

bool crossvm_bar_holds(struct pci_dev *pdev, u32 bar, u64 size)
{
	return bar < PCI_STD_NUM_BARS && pci_resource_flags(pdev, bar) & IORESOURCE_MEM &&
	       PAGE_ALIGNED(pci_resource_start(pdev, bar)) && pci_resource_len(pdev, bar) >= size;
}

static void crossvm_set_map(struct crossvm_device *cv, unsigned int map, const char *name,
			    unsigned int bar, u64 offset, resource_size_t size)
{
	cv->uio.mem[map] = (struct uio_mem){
		.name = name,
		.addr = pci_resource_start(cv->pdev, bar) + offset,
		.size = size,
		/* The BAR is RAM that the other end maps cached; so does this kind of map. */
		.memtype = UIO_MEM_IOVA,
	};
}

static void crossvm_set_dataport(struct crossvm_device *cv, unsigned int i, unsigned int bar,
				 u64 offset, resource_size_t size)
{
	static const char *const names[] = { "dataport0", "dataport1", "dataport2", "dataport3" };

	static_assert(ARRAY_SIZE(names) == CROSSVM_MAX_DATAPORTS);

	crossvm_set_map(cv, 1 + i, names[i], bar, offset, size);
}

/* Copies the name and makes it one that can name a file. */
static void crossvm_read_name(struct crossvm_device *cv)
{
	unsigned int reg = cv->extended ? CROSSVM_REG_FULL_NAME : CROSSVM_REG_NAME;
	size_t bytes = cv->extended ? CROSSVM_FULL_NAME_BYTES - 1 : CROSSVM_NAME_BYTES;
	char *c;

	static_assert(sizeof(cv->name) > CROSSVM_NAME_BYTES);

	memcpy_fromio(cv->name, cv->regs + reg, bytes);
	cv->name[bytes] = '\0';

	for (c = cv->name; *c; c++)
		if (!(*c >= 'A' && *c <= 'Z') && !(*c >= 'a' && *c <= 'z') &&
		    !(*c >= '0' && *c <= '9') && !strchr("._-", *c))
			*c = '_';
	if (!cv->name[0] || !strcmp(cv->name, ".") || !strcmp(cv->name, ".."))
		strscpy(cv->name, DEFAULT_NAME, sizeof(cv->name));
}

static int crossvm_describe_dataport(struct crossvm_device *cv, unsigned int i,
				     unsigned long *bars_taken)
{
	unsigned int entry = CROSSVM_REG_DATAPORT(i);
	u64 size = crossvm_read64(cv, entry + CROSSVM_DATAPORT_SIZE);
	u32 bar = crossvm_read32(cv, entry + CROSSVM_DATAPORT_BAR);

	/* A large one that is plugged in, mostly. The PCI core has said "no space" before. */
	if (bar >= CROSSVM_BAR_DATAPORT && bar < PCI_STD_NUM_BARS &&
	    !pci_resource_flags(cv->pdev, bar)) {
		dev_err(&cv->pdev->dev,
			"dataport %u: BAR %u has no address for %llu bytes: let its PCI bus have a larger window (QEMU: pref64-reserve of the root port)\n",
			i, bar, size);
		return -ENOSPC;
	}
	if (!size || !IS_ALIGNED(size, PAGE_SIZE) || bar < CROSSVM_BAR_DATAPORT ||
	    !crossvm_bar_holds(cv->pdev, bar, size)) {
		dev_err(&cv->pdev->dev,
			"dataport %u: %llu bytes do not fit BAR %u: the VMM describes it wrongly\n",
			i, size, bar);
		return -EINVAL;
	}
	if (__test_and_set_bit(bar, bars_taken)) {
		dev_err(&cv->pdev->dev,
			"dataport %u: BAR %u is another dataport's: the VMM describes it wrongly\n",
			i, bar);
		return -EINVAL;
	}
	crossvm_set_dataport(cv, i, bar, 0, size);
	return 0;
}

/* free is where the region has something for this dataport at the earliest. */
static int crossvm_describe_part(struct crossvm_device *cv, unsigned int i, u64 *free)
{
	u64 len = pci_resource_len(cv->pdev, CROSSVM_IVSHMEM_BAR_REGION);
	u64 size = crossvm_read64(cv, CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_SIZE);
	u64 offset = crossvm_read64(cv, CROSSVM_REG_DATAPORT_OFFSET(i));

	if (!size || !IS_ALIGNED(size | offset, PAGE_SIZE) || offset < *free || offset > len ||
	    size > len - offset) {
		dev_err(&cv->pdev->dev,
			"dataport %u: %llu bytes from %#llx on are no free part of the region: the hub describes it wrongly\n",
			i, size, offset);
		return -EINVAL;
	}
	*free = offset + size;
	crossvm_set_dataport(cv, i, CROSSVM_IVSHMEM_BAR_REGION, offset, size);
	return 0;
}

/* The pages of BAR0. */
static int crossvm_describe_pages(struct crossvm_device *cv)
{
	u32 features = crossvm_read32(cv, CROSSVM_REG_FEATURES);
	resource_size_t event_size = CROSSVM_PAGE_SIZE, all_size;

	if (features & CROSSVM_FEATURE_PEER_PAGE)
		cv->peer_seq = cv->regs + CROSSVM_REG_PEER_SEQ;
	if (features & CROSSVM_FEATURE_STATE_PAGE)
		event_size = CROSSVM_STATE_PAGE + CROSSVM_PAGE_SIZE;
	else if (features & CROSSVM_FEATURE_OWN_PAGE)
		event_size = CROSSVM_OWN_PAGE + CROSSVM_PAGE_SIZE;
	else if (cv->peer_seq)
		event_size = CROSSVM_PEER_PAGE + CROSSVM_PAGE_SIZE;
	all_size = event_size;
	if (features & CROSSVM_FEATURE_DRIVER_PAGE) {
		/* No program maps it: only this driver says who is here. */
		cv->driver = cv->regs + CROSSVM_REG_DRIVER_ALONE;
		all_size = CROSSVM_DRIVER_PAGE + CROSSVM_PAGE_SIZE;
	}
	if (!crossvm_bar_holds(cv->pdev, CROSSVM_BAR_EVENT, all_size)) {
		dev_err(&cv->pdev->dev, "BAR0 has no room for its pages: the VMM describes it wrongly\n");
		return -EINVAL;
	}
	crossvm_set_map(cv, 0, "event", CROSSVM_BAR_EVENT, 0, event_size);
	cv->end = crossvm_read32(cv, CROSSVM_REG_END);
	return 0;
}

/* The pages of a region. */
static void crossvm_describe_region(struct crossvm_device *cv)
{
	void __iomem *region = (void __iomem __force *)cv->memory;

	cv->peer_seq = region + CROSSVM_REGION_COUNT_PAGE(1 - cv->end);
	cv->driver = region + CROSSVM_REGION_DRIVER_PAGE(cv->end);
	/* No program maps what only this driver, the peer or the hub may store to. */
	crossvm_set_map(cv, 0, cv->end ? "end1" : "end0", CROSSVM_IVSHMEM_BAR_REGION,
			CROSSVM_REGION_MAPPED(cv->end), CROSSVM_REGION_MAPPED_BYTES);
	cv->uio.irqcontrol = crossvm_emit;
}

/* The doorbell of a region comes behind the dataports. Without this map, programs write(). */
static void crossvm_describe_doorbell(struct crossvm_device *cv)
{
	unsigned int map = 1 + cv->num_dataports;

	if (map == MAX_UIO_MAPS ||
	    !crossvm_bar_holds(cv->pdev, CROSSVM_IVSHMEM_BAR_DOORBELL, PAGE_SIZE))
		return;
	crossvm_set_map(cv, map, "doorbell", CROSSVM_IVSHMEM_BAR_DOORBELL, 0, PAGE_SIZE);
	cv->uio.mem[map].memtype = UIO_MEM_PHYS;
}

static int crossvm_describe_extended(struct crossvm_device *cv)
{
	struct device *dev = &cv->pdev->dev;
	u32 num_dataports = crossvm_read32(cv, CROSSVM_REG_NUM_DATAPORTS);
	u64 free = CROSSVM_REGION_DATAPORTS;
	unsigned long bars_taken = 0;
	unsigned int i;
	int ret;

	if (cv->doorbell) {
		crossvm_describe_region(cv);
	} else {
		ret = crossvm_describe_pages(cv);
		if (ret)
			return ret;
	}

	if (num_dataports > CROSSVM_MAX_DATAPORTS) {
		dev_err(dev, "%u dataports instead of at most %u: the VMM describes it wrongly\n",
			num_dataports, CROSSVM_MAX_DATAPORTS);
		return -EINVAL;
	}
	cv->num_dataports = num_dataports;
	for (i = 0; i < num_dataports; i++) {
		if (cv->doorbell)
			ret = crossvm_describe_part(cv, i, &free);
		else
			ret = crossvm_describe_dataport(cv, i, &bars_taken);
		if (ret)
			return ret;
	}
	if (cv->doorbell)
		crossvm_describe_doorbell(cv);
	return 0;
}

static void crossvm_describe_base(struct crossvm_device *cv)
{
	crossvm_set_map(cv, 0, "event", CROSSVM_BAR_EVENT, 0, CROSSVM_PAGE_SIZE);
	if (crossvm_bar_holds(cv->pdev, CROSSVM_BAR_DATAPORT, PAGE_SIZE))
		crossvm_set_dataport(cv, 0, CROSSVM_BAR_DATAPORT, 0,
				     pci_resource_len(cv->pdev, CROSSVM_BAR_DATAPORT));
}

int crossvm_describe(struct crossvm_device *cv)
{
	/* In this order, since the magic comes last in a device that is being installed. */
	u32 magic = crossvm_read32(cv, CROSSVM_REG_MAGIC);
	u32 version = crossvm_read32(cv, CROSSVM_REG_VERSION);
	int ret = 0;

	cv->driver = cv->regs + CROSSVM_REG_DRIVER;
	cv->extended = magic == CROSSVM_MAGIC;
	if (cv->extended && version >> 16 != CROSSVM_DEVICE_VERSION_MAJOR) {
		dev_warn(&cv->pdev->dev,
			 "interface %u.%u is not known: update the driver to use more than the base block\n",
			 version >> 16, version & 0xffff);
		cv->extended = false;
	}
	if (cv->doorbell && !cv->extended) {
		dev_err(&cv->pdev->dev, "its region has no registers that are known: the hub describes it wrongly\n");
		return -EINVAL;
	}

	crossvm_read_name(cv);
	if (cv->extended) {
		snprintf(cv->version, sizeof(cv->version), "%u.%u", version >> 16,
			 version & 0xffff);
		ret = crossvm_describe_extended(cv);
	} else {
		strscpy(cv->version, "base", sizeof(cv->version));
		crossvm_describe_base(cv);
	}

	cv->uio.name = cv->name;
	cv->uio.version = cv->version;
	cv->uio.open = crossvm_open;
#ifdef CROSSVM_UIO_MMAP_PREPARE
	cv->uio.mmap_prepare = crossvm_mmap;
#else
	cv->uio.mmap = crossvm_mmap;
#endif
	cv->uio.release = crossvm_release;
	return ret;
}
