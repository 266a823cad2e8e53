// SPDX-License-Identifier: GPL-2.0-only
/*
 * What programs have mapped.
 *
 * A mapping may outlive the device: it is unplugged, or another driver gets it. Its addresses may
 * then be another device's, which is not the program's to access. So the mapping is cut off from
 * the device, and from then on gets zeroed pages of its own. A program that was about to access it
 * goes on, until it learns from read() that the device is gone.
 */

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "crossvm.h"

/* An inode of the UIO device at which a program has it open, and so what it has mapped. */
struct crossvm_node {
	struct list_head node;
	struct inode *inode;
	unsigned int files;
};

static const struct vm_operations_struct crossvm_vm_ops[MAX_UIO_MAPS];

/* Which of the UIO device's maps an area is of. Its offset changes when it is cut in pieces. */
static unsigned int crossvm_map_of(const struct vm_area_struct *vma)
{
	return vma->vm_ops - crossvm_vm_ops;
}

/* As many pages as one page table has: a program that goes through a dataport faults seldom. */
static vm_fault_t crossvm_insert_device(struct vm_fault *vmf, const struct uio_mem *mem)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long table = ALIGN_DOWN(vmf->address, PMD_SIZE);
	unsigned long address = max(table, vma->vm_start);
	unsigned long end = min(table + PMD_SIZE, vma->vm_end);
	unsigned long pfn = PHYS_PFN(mem->addr) + linear_page_index(vma, address) - crossvm_map_of(vma);
	pgprot_t prot = vma->vm_page_prot;
	vm_fault_t ret = VM_FAULT_NOPAGE;

	if (mem->memtype == UIO_MEM_PHYS)
		prot = pgprot_noncached(prot);
	for (; address < end && ret == VM_FAULT_NOPAGE; address += PAGE_SIZE, pfn++) {
		if (WARN_ON_ONCE(pfn_valid(pfn))) /* the kernel takes a BAR for its memory */
			return VM_FAULT_SIGBUS;
		ret = vmf_insert_pfn_prot(vma, address, pfn, prot);
	}
	return ret;
}

static vm_fault_t crossvm_vma_fault(struct vm_fault *vmf)
{
	struct uio_device *idev = vmf->vma->vm_private_data;
	vm_fault_t ret = 0;

	/*
	 * uio_unregister_device() clears info with this mutex held, and crossvm_cut_off() comes
	 * after it: either that finds the pages that are inserted here, or this finds no info.
	 */
	mutex_lock(&idev->info_lock);
	if (idev->info)
		ret = crossvm_insert_device(vmf, &idev->info->mem[crossvm_map_of(vmf->vma)]);
	mutex_unlock(&idev->info_lock);
	if (ret)
		return ret;
	vmf->page = alloc_page(GFP_HIGHUSER | __GFP_ACCOUNT | __GFP_ZERO);
	return vmf->page ? 0 : VM_FAULT_OOM;
}

static const struct vm_operations_struct crossvm_vm_ops[MAX_UIO_MAPS] = {
	[0 ... MAX_UIO_MAPS - 1] = { .fault = crossvm_vma_fault },
};

/*
 * UIO has checked that the area is no larger than the map. Nothing is mapped yet: pages that were
 * inserted now would not be found, since the area is not among those of its file before this
 * returns. A private area is refused, since it would get copies of the pages that it writes.
 */
#ifdef CROSSVM_UIO_MMAP_PREPARE
int crossvm_mmap(struct uio_info *uio, struct vm_area_desc *desc)
{
	if (vma_desc_is_cow_mapping(desc))
		return -EINVAL;
	vma_desc_set_flags(desc, VMA_IO_BIT, VMA_MIXEDMAP_BIT, VMA_DONTEXPAND_BIT, VMA_DONTDUMP_BIT);
	desc->private_data = uio->uio_dev;
	desc->vm_ops = &crossvm_vm_ops[desc->pgoff];
	return 0;
}
#else
int crossvm_mmap(struct uio_info *uio, struct vm_area_struct *vma)
{
	const unsigned long flags = VM_IO | VM_MIXEDMAP | VM_DONTEXPAND | VM_DONTDUMP;

	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		return -EINVAL;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	vma->vm_flags |= flags;
#else
	vm_flags_set(vma, flags);
#endif
	vma->vm_private_data = uio->uio_dev;
	vma->vm_ops = &crossvm_vm_ops[vma->vm_pgoff];
	return 0;
}
#endif

static struct crossvm_node *crossvm_find_node(struct crossvm_device *cv, const struct inode *inode)
{
	struct crossvm_node *node;

	list_for_each_entry(node, &cv->nodes, node)
		if (node->inode == inode)
			return node;
	return NULL;
}

int crossvm_add_file(struct crossvm_device *cv, struct inode *inode)
{
	struct crossvm_node *node = crossvm_find_node(cv, inode);

	if (!node) {
		node = kzalloc(sizeof(*node), GFP_KERNEL_ACCOUNT);
		if (!node)
			return -ENOMEM;
		ihold(inode);
		node->inode = inode;
		list_add(&node->node, &cv->nodes);
	}
	node->files++;
	return 0;
}

static void crossvm_free_node(struct crossvm_node *node)
{
	list_del(&node->node);
	iput(node->inode);
	kfree(node);
}

void crossvm_remove_file(struct crossvm_device *cv, struct inode *inode)
{
	struct crossvm_node *node = crossvm_find_node(cv, inode);

	if (--node->files == 0)
		crossvm_free_node(node);
}

void crossvm_cut_off(struct crossvm_device *cv)
{
	struct crossvm_node *node, *next;

	list_for_each_entry_safe(node, next, &cv->nodes, node) {
		unmap_mapping_range(node->inode->i_mapping, 0, 0, 1);
		crossvm_free_node(node);
	}
}

int crossvm_set_memory_types(struct crossvm_device *cv)
{
	unsigned int i;

	for (i = 0; IS_ENABLED(CONFIG_X86) && i < MAX_UIO_MAPS && cv->uio.mem[i].size; i++) {
		const struct uio_mem *mem = &cv->uio.mem[i];

		if (mem->memtype == UIO_MEM_PHYS)
			continue;
		cv->cached[i] = memremap(mem->addr, mem->size, MEMREMAP_WB);
		if (!cv->cached[i]) {
			dev_err(&cv->pdev->dev, "cannot map %llu bytes of %s\n",
				(unsigned long long)mem->size, mem->name);
			crossvm_unset_memory_types(cv);
			return -ENOMEM;
		}
	}
	return 0;
}

void crossvm_unset_memory_types(struct crossvm_device *cv)
{
	unsigned int i;

	for (i = 0; i < MAX_UIO_MAPS; i++) {
		if (cv->cached[i])
			memunmap(cv->cached[i]);
		cv->cached[i] = NULL;
	}
}
