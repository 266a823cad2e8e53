// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files in sysfs of devices with the extended block, for processes that only want to look: opening
 * the device would say to the peer that a program came. See sysfs-driver-crossvm.
 */

#include <linux/device.h>
#include <linux/mm.h>

#include "crossvm.h"

static ssize_t peer_state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct crossvm_device *cv = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", crossvm_read32(cv, CROSSVM_REG_PEER_STATE));
}
static DEVICE_ATTR_RO(peer_state);

static ssize_t peer_generation_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct crossvm_device *cv = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", crossvm_read32(cv, CROSSVM_REG_PEER_GENERATION));
}
static DEVICE_ATTR_RO(peer_generation);

static ssize_t events_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct crossvm_device *cv = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", crossvm_sequence(cv));
}
static DEVICE_ATTR_RO(events);

static ssize_t end_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct crossvm_device *cv = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", cv->end);
}
static DEVICE_ATTR_RO(end);

/* An attribute of one dataport. */
struct dataport_attribute {
	struct device_attribute device;
	unsigned int dataport;
};

#define to_dataport(attr) (container_of(attr, struct dataport_attribute, device)->dataport)

static ssize_t dataport_rights_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct crossvm_device *cv = dev_get_drvdata(dev);
	unsigned int entry = CROSSVM_REG_DATAPORT(to_dataport(attr));

	return sysfs_emit(buf, "%u\n", crossvm_read32(cv, entry + CROSSVM_DATAPORT_RIGHTS));
}

#define DATAPORT_RIGHTS(i) { __ATTR(dataport##i##_rights, 0444, dataport_rights_show, NULL), i }

static struct dataport_attribute dataport_rights[] = {
	DATAPORT_RIGHTS(0), DATAPORT_RIGHTS(1), DATAPORT_RIGHTS(2), DATAPORT_RIGHTS(3),
};

static_assert(ARRAY_SIZE(dataport_rights) == CROSSVM_MAX_DATAPORTS);

static struct attribute *crossvm_attributes[] = {
	&dev_attr_peer_state.attr,
	&dev_attr_peer_generation.attr,
	&dev_attr_events.attr,
	&dev_attr_end.attr,
	&dataport_rights[0].device.attr,
	&dataport_rights[1].device.attr,
	&dataport_rights[2].device.attr,
	&dataport_rights[3].device.attr,
	NULL,
};

static umode_t crossvm_attribute_mode(struct kobject *kobj, struct attribute *attr, int n)
{
	const struct crossvm_device *cv = dev_get_drvdata(kobj_to_dev(kobj));
	struct device_attribute *device = container_of(attr, struct device_attribute, attr);

	if (!cv->extended)
		return 0;
	if (device->show == dataport_rights_show && to_dataport(device) >= cv->num_dataports)
		return 0;
	return attr->mode;
}

/*
 * The memory of a dataport, to be mapped for reading. When the device goes, sysfs cuts mappings off,
 * and an access is SIGBUS. The file cannot be opened for writing, so what could become writable is
 * a private mapping only, which would get copies of its pages.
 */
static int dataport_mmap(struct file *file, struct kobject *kobj,
			 CROSSVM_CALLBACK_CONST struct bin_attribute *attr, struct vm_area_struct *vma)
{
	const struct crossvm_device *cv = dev_get_drvdata(kobj_to_dev(kobj));
	const struct uio_mem *mem = &cv->uio.mem[1 + (uintptr_t)attr->private];
	unsigned long pages = PFN_DOWN(mem->size);

	if (vma->vm_flags & (VM_WRITE | VM_MAYWRITE))
		return -EINVAL;
	if (vma->vm_pgoff >= pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	return remap_pfn_range(vma, vma->vm_start, PFN_DOWN(mem->addr) + vma->vm_pgoff,
			       vma->vm_end - vma->vm_start, vma->vm_page_prot);
}

#define DATAPORT(i) \
	{ .attr = { .name = "dataport" #i, .mode = 0400 }, .private = (void *)(i), .mmap = dataport_mmap }

static CROSSVM_LISTED_CONST struct bin_attribute dataport_files[] = {
	DATAPORT(0), DATAPORT(1), DATAPORT(2), DATAPORT(3),
};

static_assert(ARRAY_SIZE(dataport_files) == CROSSVM_MAX_DATAPORTS);

static CROSSVM_LISTED_CONST struct bin_attribute *CROSSVM_LISTED_CONST crossvm_files[] = {
	&dataport_files[0], &dataport_files[1], &dataport_files[2], &dataport_files[3], NULL,
};

static umode_t crossvm_file_mode(struct kobject *kobj,
				 CROSSVM_CALLBACK_CONST struct bin_attribute *attr, int n)
{
	const struct crossvm_device *cv = dev_get_drvdata(kobj_to_dev(kobj));

	return cv->extended && (uintptr_t)attr->private < cv->num_dataports ? attr->attr.mode : 0;
}

static const struct attribute_group crossvm_group = {
	.name = "crossvm",
	.attrs = crossvm_attributes,
	.is_visible = crossvm_attribute_mode,
	.bin_attrs = crossvm_files,
	.is_bin_visible = crossvm_file_mode,
};

/* The kernel makes them when probe() is through, and removes them before remove(). */
const struct attribute_group *crossvm_groups[] = { &crossvm_group, NULL };
