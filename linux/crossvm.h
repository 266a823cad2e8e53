/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the guest driver share: a device, its registers, and the calls between files.
 *
 *	main.c		the PCI driver: probe, remove, sleep
 *	describe.c	what the device says of itself, and the maps of its UIO device
 *	events.c	interrupts, and waking programs
 *	line.c		interrupts that devices share
 *	programs.c	who has the device open, and what DRIVER says
 *	mappings.c	what programs have mapped
 *	attributes.c	sysfs, for programs that do not open the device
 *	region.c	what is different where the registers lie in a region (ivshmem)
 */
#ifndef CROSSVM_H
#define CROSSVM_H

#include <linux/atomic.h>
#include <linux/container_of.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sysfs.h>
#include <linux/types.h>
#include <linux/uio_driver.h>

#include <crossvm/device.h>

struct crossvm_line;

/*
 * An INTx device on its line. The handler looks at all devices of a line, so what it needs is together.
 * No lock, since only the handler uses the last two, and it never runs twice at once.
 */
struct crossvm_watch {
	struct list_head node;
	const void __iomem *seq;  /* EVENT_SEQ */
	const void __iomem *peer; /* PEER */
	u64 claimed_seq;
	u64 claimed_peer;
};

struct crossvm_device {
	struct pci_dev *pdev;
	void *memory;		/* BAR0 up to the driver page, or the region up to the dataports */
	void __iomem *regs;	/* the event page in it */
	void __iomem *driver;	/* where DRIVER is stored */
	void __iomem *peer_seq;	/* PEER_SEQ, or NULL */
	void __iomem *doorbell;	/* BAR0 where there is a region, else NULL */
	bool extended;		/* the device has the extended block */
	unsigned int end;
	unsigned int num_dataports;
	bool msi;		/* or MSI-X */

	struct crossvm_line *line; /* INTx of extended devices */
	struct crossvm_watch watch;

	/*
	 * Base block only: 1 if events came since the last open. UIO does not say whether a program
	 * has read of them, so the next open notifies again.
	 */
	atomic_t unseen;

	/*
	 * Guards live, openers and nodes, and is held over the store to DRIVER that follows from
	 * them, so that stores are in the order of the changes. UIO calls open and release with a
	 * mutex of its own held, which is therefore always taken first.
	 */
	struct mutex lock;
	bool live;		/* the UIO device is complete, and DRIVER says that we are here */
	unsigned int openers;
	struct list_head nodes;	/* at which they have it open */

	void *cached[MAX_UIO_MAPS]; /* the kernel's mappings of what programs map, on x86 */
	struct uio_info uio;
	char name[CROSSVM_FULL_NAME_BYTES];
	char version[16];
};

static inline struct crossvm_device *to_crossvm(struct uio_info *uio)
{
	return container_of(uio, struct crossvm_device, uio);
}

static inline u32 crossvm_read32(const struct crossvm_device *cv, unsigned int reg)
{
	return readl(cv->regs + reg);
}

/* Without an order to other loads. */
static inline u64 crossvm_load64_relaxed(const void __iomem *address)
{
#ifdef CONFIG_64BIT
	return readq_relaxed(address);
#else
	/*
	 * Two halves belong together if the upper one was the same before and after. It changes
	 * once in 2^32 events, so a second look at the lower half is enough for an honest counter.
	 * More looks would let a dishonest one keep an interrupt handler busy.
	 */
	u32 upper = readl(address + 4);
	u32 lower = readl(address);
	u32 again = readl(address + 4);

	if (upper != again)
		lower = readl(address);
	return (u64)again << 32 | lower;
#endif
}

static inline u64 crossvm_load64(const void __iomem *address)
{
#ifdef CONFIG_64BIT
	return readq(address);
#else
	return crossvm_load64_relaxed(address);
#endif
}

static inline u64 crossvm_read64(const struct crossvm_device *cv, unsigned int reg)
{
	return crossvm_load64(cv->regs + reg);
}

/*
 * writel() is one plain store instruction on every architecture. A VMM can decode nothing else.
 */
static inline void crossvm_write32(const struct crossvm_device *cv, unsigned int reg, u32 value)
{
	writel(value, cv->regs + reg);
}

/* describe.c */

/* Whether BAR bar is memory of at least size bytes that can be mapped by pages. */
bool crossvm_bar_holds(struct pci_dev *pdev, u32 bar, u64 size);

/* Finds out what the device is, and fills in cv up to uio. 0, or -EINVAL after a message. */
int crossvm_describe(struct crossvm_device *cv);

/* events.c */

/* How many events the peer has sent. */
u64 crossvm_sequence(const struct crossvm_device *cv);

/*
 * Gives the device an interrupt, an MSI or an INTx that it does not raise yet, and fills in what
 * UIO needs to handle it.
 */
int crossvm_alloc_irq(struct crossvm_device *cv);

/* Lets INTx come or not. Does nothing for an MSI. */
void crossvm_enable_intx(struct crossvm_device *cv, bool enable);

/* Notifies the UIO device if there are events that no program has seen. */
void crossvm_notify_unseen(struct crossvm_device *cv);

/* line.c */

/*
 * Has the interrupt of a device that shares one handled from now on, and no more. The UIO device is
 * registered meanwhile, since it is notified. No effect with an MSI. 0, or an error after a message.
 */
int crossvm_join_line(struct crossvm_device *cv);
void crossvm_leave_line(struct crossvm_device *cv);

/* programs.c: each takes cv->lock */

int crossvm_open(struct uio_info *uio, struct inode *inode);
int crossvm_release(struct uio_info *uio, struct inode *inode);

/*
 * Says in DRIVER that this driver and its programs are here, lets INTx come, and wakes programs
 * for what they may have missed. With anew, DRIVER is stored even if it has the value already.
 */
void crossvm_go_live(struct crossvm_device *cv, bool anew);

/* Undoes crossvm_go_live(), in the opposite order. */
void crossvm_go_quiet(struct crossvm_device *cv);

/* mappings.c */

/* For UIO's mmap. */
#ifdef CROSSVM_UIO_MMAP_PREPARE
int crossvm_mmap(struct uio_info *uio, struct vm_area_desc *desc);
#else
int crossvm_mmap(struct uio_info *uio, struct vm_area_struct *vma);
#endif

/* Knows of an open file of the UIO device, and forgets it. With cv->lock held. 0 or -ENOMEM. */
int crossvm_add_file(struct crossvm_device *cv, struct inode *inode);
void crossvm_remove_file(struct crossvm_device *cv, struct inode *inode);

/* Cuts what programs have mapped off from the device. Comes after uio_unregister_device(). */
void crossvm_cut_off(struct crossvm_device *cv);

/*
 * On x86 a page of a program gets the memory type with which the kernel has mapped the same
 * address, and without that is uncached. So this maps all that programs can map, until the
 * opposite. 0, or -ENOMEM after a message. Comes before uio_register_device().
 */
int crossvm_set_memory_types(struct crossvm_device *cv);
void crossvm_unset_memory_types(struct crossvm_device *cv);

/* region.c */

/*
 * Whether a function of ivshmem is this driver's: it has the mark of a region. The function and its
 * configuration space are then as they were, whatever the answer.
 */
bool crossvm_is_region(struct pci_dev *pdev);

/*
 * Gives the doorbell a page of its own, if the bus has one left. Comes before anybody requests the
 * BARs of a function that is this driver's.
 */
void crossvm_move_doorbell(struct pci_dev *pdev);

/* Maps the registers in a region, and finds the end. 0, or an error after a message. */
int crossvm_map_region(struct crossvm_device *cv);
void crossvm_unmap_region(struct crossvm_device *cv);

/* Stores DRIVER in a region, and signals the hub. came: there is a new driver or program. */
void crossvm_tell_hub(struct crossvm_device *cv, u32 state, bool came);

/* Signals the peer, for UIO's write(). */
int crossvm_emit(struct uio_info *uio, s32 value);

/* attributes.c */

extern const struct attribute_group *crossvm_groups[];

#endif
