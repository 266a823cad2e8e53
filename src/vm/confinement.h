/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What crossvm-vm gives up before its guest runs (src/sandbox), so that a guest that takes this process over has
 * nothing but what was the VM's in any case.
 */
#pragma once

#include "../sandbox/own_user.h"
#include "options.h"

/** What is chosen before the VM is made. */
struct confinement {
    bool wanted;
    struct own_user user;
};

/** Checks what the options say of it. Returns 0, or -1 after a message. */
int confinement_choose(struct confinement *confinement, const struct options *options);

/**
 * Confines the process and, as they start, all threads of its VM. To be called when all that it needs is open, and
 * before it has other threads. Returns 0, or -1 after a message.
 */
int confinement_begin(const struct confinement *confinement, const struct options *options);

/** Confines the calling thread as that of the event loop, if the process is confined. */
void confinement_enter_loop(void);
