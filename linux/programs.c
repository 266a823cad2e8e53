// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that have the device open, and what DRIVER says of them and of this driver.
 */

#include "crossvm.h"

static u32 crossvm_driver_state(const struct crossvm_device *cv)
{
	if (!cv->live)
		return CROSSVM_DRIVER_NONE;
	return cv->openers ? CROSSVM_DRIVER_OPEN : CROSSVM_DRIVER_BOUND;
}

/* came: this driver or a program has come, other than when one goes. */
static void crossvm_store_driver(struct crossvm_device *cv, bool came)
{
	lockdep_assert_held(&cv->lock);
	if (cv->doorbell)
		crossvm_tell_hub(cv, crossvm_driver_state(cv), came);
	else if (cv->extended)
		writel(crossvm_driver_state(cv), cv->driver);
}

static u32 crossvm_stored_driver(const struct crossvm_device *cv)
{
	return readl(cv->driver) & CROSSVM_REGION_DRIVER_STATE;
}

/*
 * The opener's read() waits until UIO's count of events differs from the count before this call. A
 * notification here therefore makes its first read() return.
 *
 * UIO shows the device to processes before it fills in what uio_event_notify() needs. So this call
 * only counts while the device is not live, and crossvm_go_live() does the rest.
 */
int crossvm_open(struct uio_info *uio, struct inode *inode)
{
	struct crossvm_device *cv = to_crossvm(uio);
	int ret;

	mutex_lock(&cv->lock);
	ret = crossvm_add_file(cv, inode);
	if (ret)
		goto unlock;
	/* A store exits to the VMM: only the first open and the last close make one. */
	if (cv->openers++ == 0 && cv->live)
		crossvm_store_driver(cv, true);
	if (cv->live)
		crossvm_notify_unseen(cv);
unlock:
	mutex_unlock(&cv->lock);
	return ret;
}

/*
 * UIO calls this when no process refers to the open file any more: each has closed and unmapped it,
 * or was killed.
 */
int crossvm_release(struct uio_info *uio, struct inode *inode)
{
	struct crossvm_device *cv = to_crossvm(uio);

	mutex_lock(&cv->lock);
	crossvm_remove_file(cv, inode);
	if (--cv->openers == 0 && cv->live)
		crossvm_store_driver(cv, false);
	mutex_unlock(&cv->lock);
	return 0;
}

/*
 * DRIVER comes before INTx: while DRIVER is NONE, the device expects each interrupt to be
 * acknowledged, and stops raising them if none is.
 */
void crossvm_go_live(struct crossvm_device *cv, bool anew)
{
	mutex_lock(&cv->lock);
	cv->live = true;
	/* To store OPEN over OPEN would say that another program came. */
	if (anew || crossvm_stored_driver(cv) != crossvm_driver_state(cv))
		crossvm_store_driver(cv, true);
	crossvm_enable_intx(cv, true);
	/*
	 * Events and changes of the peer before this point may have raised no interrupt. The
	 * accesses above exited to the VMM, so they come before the loads of the programs that are
	 * woken here: an event that these loads miss raises an interrupt.
	 */
	if (cv->openers && cv->extended)
		uio_event_notify(&cv->uio);
	else if (cv->openers)
		crossvm_notify_unseen(cv);
	mutex_unlock(&cv->lock);
}

void crossvm_go_quiet(struct crossvm_device *cv)
{
	mutex_lock(&cv->lock);
	crossvm_enable_intx(cv, false);
	cv->live = false;
	crossvm_store_driver(cv, false);
	mutex_unlock(&cv->lock);
}
