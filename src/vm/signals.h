/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals that end the VM in good order: SIGINT, SIGTERM and SIGHUP, but for those that were ignored at the start.
 */
#pragma once

#include <sel4vm/guest_vm.h>

#include "loop.h"

/** Keeps them back, in this thread and those that it starts. 0, or -1 after a message. */
int signals_block(void);

/** From now on they end vm_run(), with a status of 128 and the signal's number. 0, or -1 after a message. */
int signals_watch(struct loop *loop, vm_t *vm);

/** After loop_stop(). */
void signals_close(void);
