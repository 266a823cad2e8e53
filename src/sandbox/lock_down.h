/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process gives up once it has all that it needs, for itself and all its threads to come: privileges, files, and
 * what it could get by running other programs. Filters of system calls (filter.h) come after that, one a thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "landlock.h"
#include "own_user.h"

struct lock_down {
    bool isolated;        /**< where root started it: another user, namespaces, and a root directory without files */
    struct own_user user; /**< ... that one */
    bool keeps_access;    /**< root may still reach files and sockets of other users, as far as folders allow */
    const struct landlock_folder *folders; /**< where files may still be touched */
    size_t num_folders;
    const uint16_t *ports; /**< of TCP that sockets may still be connected to */
    size_t num_ports;
};

/** Whether this build can be confined: the sanitizers reserve terabytes, and make calls that no list has. */
static inline bool lock_down_is_possible(void)
{
#if defined(__SANITIZE_ADDRESS__)
    return false;
#elif defined(__has_feature)
    return !__has_feature(address_sanitizer);
#else
    return true;
#endif
}

/**
 * Gives it up. To be called while the process has one thread. It cannot be undone.
 *
 * Capabilities go in any case, and so does what set-user-ID programs could bring (no_new_privs).
 *
 * @return 0, or -1 after a message, after which the process must end
 */
int lock_down(const struct lock_down *lock);
