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

static void crossvm_store_driver(struct crossvm_device *cv)
{
	lockdep_assert_held(&cv->lock);
	if (cv->extended)
		crossvm_write32(cv, CROSSVM_REG_DRIVER, crossvm_driver_state(cv));
}

/*
 * The opener's read() waits for a count of events that differs from the count before this call, so
 * an event told of here makes its first read() return.
 *
 * UIO shows the device to processes before it fills in what uio_event_notify() needs. While the
 * device is not live, this call therefore only counts; crossvm_go_live() does the rest.
 */
int crossvm_open(struct uio_info *uio, struct inode *inode)
{
	struct crossvm_device *cv = to_crossvm(uio);

	mutex_lock(&cv->lock);
	/* A store exits to the VMM, so only the first to open and the last to close make one. */
	if (cv->openers++ == 0 && cv->live)
		crossvm_store_driver(cv);
	if (cv->live)
		crossvm_tell_unseen(cv);
	mutex_unlock(&cv->lock);
	return 0;
}

/*
 * Nobody refers to the open file any more: all that shared it have closed and unmapped it, or were
 * killed.
 */
int crossvm_release(struct uio_info *uio, struct inode *inode)
{
	struct crossvm_device *cv = to_crossvm(uio);

	mutex_lock(&cv->lock);
	if (--cv->openers == 0 && cv->live)
		crossvm_store_driver(cv);
	mutex_unlock(&cv->lock);
	return 0;
}

/*
 * DRIVER comes before INTx: a device without a driver takes interrupts that nobody acknowledges for
 * interrupts that nobody handles, and stops raising them.
 */
void crossvm_go_live(struct crossvm_device *cv, bool anew)
{
	mutex_lock(&cv->lock);
	cv->live = true;
	/* OPEN stored over OPEN would say that another program came. */
	if (anew || crossvm_read32(cv, CROSSVM_REG_DRIVER) != crossvm_driver_state(cv))
		crossvm_store_driver(cv);
	crossvm_enable_intx(cv, true);
	/*
	 * Events before this may have raised no interrupt, and changes of the peer neither. The
	 * stores above exited to the VMM, so they come before the loads of whoever is told here: an
	 * event that these loads miss raises an interrupt.
	 */
	if (cv->openers && cv->extended)
		uio_event_notify(&cv->uio);
	else if (cv->openers)
		crossvm_tell_unseen(cv);
	mutex_unlock(&cv->lock);
}

void crossvm_go_quiet(struct crossvm_device *cv)
{
	mutex_lock(&cv->lock);
	crossvm_enable_intx(cv, false);
	cv->live = false;
	crossvm_store_driver(cv);
	mutex_unlock(&cv->lock);
}
