/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals that end the VM: SIGINT, SIGTERM and SIGHUP, except those that were ignored at startup (nohup).
 */
#pragma once

#include <sel4vm/guest_vm.h>

#include "loop.h"

/** Lets them end the process at once, even if it was started with them blocked. They do so until signals_watch(). */
void signals_unblock(void);

/**
 * Lets them end vm_run() from now on, with a status of 128 and the signal's number. To be called before threads are
 * started, and before there is something to clean up. Returns 0, or -1 after a message.
 */
int signals_watch(struct loop *loop, vm_t *vm);

/** Ends signals_watch(). To be called after loop_stop(). */
void signals_close(void);
