/* SPDX-License-Identifier: BSD-2-Clause */
/* How commands give up what they do not need, before they look at what others have written. */
#pragma once

#include "../sandbox/filter.h"
#include "../sandbox/lock_down.h"

/**
 * Confines this process: to these system calls besides those of the C library, and to these folders.
 *
 * @param lock its folders, and whether it still has to reach other users' sockets
 * @return 0, also where this build cannot be confined; -1 after a message
 */
int confine(const struct lock_down *lock, const struct filter_list *calls);

/**
 * Confines a command that looks for hubs and devices again and again.
 *
 * @param file that it replaces; NULL: none
 * @return as confine()
 */
int confine_observer(const char *file);
