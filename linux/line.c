// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt lines that devices share: INTx.
 *
 * A VMM may give all connections of a guest one line. Then each event calls the handlers of all of
 * them, by the kernel's and UIO's code for each. So one handler serves a line, and looks at its
 * devices one after the other. It claims the interrupt if one of them has changed: the interrupt
 * may be another driver's.
 */

#include <linux/interrupt.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "crossvm.h"

struct crossvm_line {
	struct list_head node;
	struct list_head devices; /* of struct crossvm_watch; the handler reads it, as RCU has it */
	unsigned int irq;
};

static LIST_HEAD(crossvm_lines);

/* Guards the list of lines, and changes of a line's devices. Taken with no other lock held. */
static DEFINE_MUTEX(crossvm_lines_lock);

/*
 * A change after these loads raises the interrupt again. They need no order among each other; the
 * notification orders them before what the programs that it wakes load. Each interrupt of a line
 * comes here for each of its devices, so this loads what lies together, and branches once.
 */
static bool crossvm_claim(struct crossvm_watch *watch)
{
	const void __iomem *seq_register = watch->seq, *peer_register = watch->peer;
	u64 seq = crossvm_load64_relaxed(seq_register);
	u64 peer = crossvm_load64_relaxed(peer_register);

	if (likely((seq == watch->claimed_seq) & (peer == watch->claimed_peer)))
		return false;
	watch->claimed_seq = seq;
	watch->claimed_peer = peer;
	return true;
}

static irqreturn_t crossvm_handle_line(int irq, void *argument)
{
	struct crossvm_line *line = argument;
	irqreturn_t ret = IRQ_NONE;
	struct crossvm_watch *watch;

	rcu_read_lock();
	list_for_each_entry_rcu(watch, &line->devices, node) {
		if (!crossvm_claim(watch))
			continue;
		uio_event_notify(&container_of(watch, struct crossvm_device, watch)->uio);
		ret = IRQ_HANDLED;
	}
	rcu_read_unlock();
	return ret;
}

static struct crossvm_line *crossvm_find_line(unsigned int irq)
{
	struct crossvm_line *line;

	list_for_each_entry(line, &crossvm_lines, node)
		if (line->irq == irq)
			return line;
	return NULL;
}

static struct crossvm_line *crossvm_make_line(unsigned int irq)
{
	struct crossvm_line *line = kzalloc(sizeof(*line), GFP_KERNEL);
	int ret;

	if (!line)
		return ERR_PTR(-ENOMEM);
	line->irq = irq;
	INIT_LIST_HEAD(&line->devices);
	ret = request_irq(irq, crossvm_handle_line, IRQF_SHARED, KBUILD_MODNAME, line);
	if (ret) {
		kfree(line);
		return ERR_PTR(ret);
	}
	list_add(&line->node, &crossvm_lines);
	return line;
}

int crossvm_join_line(struct crossvm_device *cv)
{
	struct crossvm_line *line;

	if (cv->uio.irq != UIO_IRQ_CUSTOM)
		return 0;
	mutex_lock(&crossvm_lines_lock);
	line = crossvm_find_line(pci_irq_vector(cv->pdev, 0));
	if (!line)
		line = crossvm_make_line(pci_irq_vector(cv->pdev, 0));
	if (!IS_ERR(line)) {
		cv->line = line;
		cv->watch.seq = cv->regs + CROSSVM_REG_EVENT_SEQ;
		cv->watch.peer = cv->regs + CROSSVM_REG_PEER;
		list_add_tail_rcu(&cv->watch.node, &line->devices);
	}
	mutex_unlock(&crossvm_lines_lock);
	if (!IS_ERR(line))
		return 0;
	dev_err(&cv->pdev->dev, "cannot have interrupt %d: error %ld\n",
		pci_irq_vector(cv->pdev, 0), PTR_ERR(line));
	return PTR_ERR(line);
}

void crossvm_leave_line(struct crossvm_device *cv)
{
	struct crossvm_line *line = cv->line;

	if (!line)
		return;
	cv->line = NULL;
	mutex_lock(&crossvm_lines_lock);
	list_del_rcu(&cv->watch.node);
	if (list_empty(&line->devices)) {
		list_del(&line->node);
		free_irq(line->irq, line);
		kfree(line);
	} else {
		synchronize_irq(line->irq); /* a handler may still be at this device */
	}
	mutex_unlock(&crossvm_lines_lock);
}
