/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that serve until a signal ends them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A descriptor that polls readable when a signal says to end; -1 after a message. */
int serve_catch_signals(void);

/**
 * Tells systemd that this service is ready, if it waits for that (sd_notify(3)).
 *
 * @return false after a message
 */
bool serve_tell_ready(void);

/** What such a process still needs when it serves. */
struct serve_needs {
    const char *const *sockets; /**< paths of sockets, whose files it removes at the end */
    size_t num_sockets;
    size_t descriptors;  /**< that it may have at most */
    uint64_t file_bytes; /**< of the largest file that the hub makes */
};

/**
 * Gives up the rest (src/sandbox), as far as that may fail. To be called when all sockets are open, and before there
 * are other threads.
 *
 * @return 0, or -1 after a message
 */
int serve_confine(const struct serve_needs *needs);

/** ... and the system calls that serving does not need. Returns 0, or -1 after a message. */
int serve_enter_filter(void);
