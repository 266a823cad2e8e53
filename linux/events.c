// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of the peer: the interrupt, and waking programs.
 *
 * Loads of registers cost nothing special. Stores exit to the VMM, so the driver acknowledges
 * nothing on devices with the extended block: it compares the device's sequences with private
 * copies. Devices with the base block only want COUNT set to 0 for each interrupt.
 */

#include <linux/interrupt.h>

#include "crossvm.h"

#ifndef PCI_IRQ_INTX /* its name before Linux 6.8 */
#define PCI_IRQ_INTX PCI_IRQ_LEGACY
#endif

u64 crossvm_sequence(const struct crossvm_device *cv)
{
	bool peer_counts = cv->msi && cv->peer_seq &&
			   crossvm_read32(cv, CROSSVM_REG_STATUS) & CROSSVM_STATUS_PEER_COUNTS;

	return crossvm_load64(peer_counts ? cv->peer_seq : cv->regs + CROSSVM_REG_EVENT_SEQ);
}

/*
 * Takes over the events of a base block device. Returns whether there were any; the caller then
 * notifies the UIO device. The handler and an open may run this at the same time and both find the
 * same events: programs are then woken once more than needed.
 */
static bool crossvm_take_count(struct crossvm_device *cv)
{
	if (!crossvm_read32(cv, CROSSVM_REG_COUNT))
		return false;
	/* The caller's notification covers an event between the load above and this store. */
	crossvm_write32(cv, CROSSVM_REG_COUNT, 0);
	atomic_set(&cv->unseen, 1);
	/*
	 * Orders the store to unseen before the caller's increment of the UIO device's event count:
	 * an open that starts from the new count finds unseen set. Pairs with atomic_xchg() in
	 * crossvm_notify_unseen(), which UIO calls after it loaded the count.
	 */
	smp_wmb();
	return true;
}

void crossvm_notify_unseen(struct crossvm_device *cv)
{
	bool unseen;

	if (cv->extended) {
		unseen = (u32)crossvm_sequence(cv) != crossvm_read32(cv, CROSSVM_REG_SEEN);
	} else {
		crossvm_take_count(cv);
		unseen = atomic_xchg(&cv->unseen, 0);
	}
	if (unseen)
		uio_event_notify(&cv->uio);
}

/*
 * The handlers. UIO notifies its device if one returns IRQ_HANDLED.
 */

static irqreturn_t crossvm_msi(int irq, struct uio_info *uio)
{
	return IRQ_HANDLED;
}

static irqreturn_t crossvm_intx_base(int irq, struct uio_info *uio)
{
	return crossvm_take_count(to_crossvm(uio)) ? IRQ_HANDLED : IRQ_NONE;
}

void crossvm_enable_intx(struct crossvm_device *cv, bool enable)
{
	if (!cv->msi)
		pci_intx(cv->pdev, enable);
}

int crossvm_alloc_irq(struct crossvm_device *cv)
{
	/* Base block devices are known with INTx only. */
	unsigned int kinds = cv->extended ? PCI_IRQ_MSI | PCI_IRQ_INTX : PCI_IRQ_INTX;
	int ret;

	if (cv->doorbell)
		kinds = PCI_IRQ_MSIX;
	ret = pci_alloc_irq_vectors(cv->pdev, 1, 1, kinds);
	if (ret < 0) {
		dev_err(&cv->pdev->dev,
			"no interrupt: the VMM offers neither an MSI nor an INTx that works\n");
		return ret;
	}
	cv->msi = pci_dev_msi_enabled(cv->pdev);
	crossvm_enable_intx(cv, false);

	if (!cv->msi && cv->extended) { /* see line.c */
		cv->uio.irq = UIO_IRQ_CUSTOM;
		return 0;
	}
	cv->uio.irq = pci_irq_vector(cv->pdev, 0);
	cv->uio.irq_flags = cv->msi ? 0 : IRQF_SHARED;
	cv->uio.handler = cv->msi ? crossvm_msi : crossvm_intx_base;
	return 0;
}
