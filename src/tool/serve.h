/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands that serve until a signal ends them. */
#pragma once

#include <stdbool.h>

/** A descriptor that polls readable when a signal says to end; -1 after a message. */
int serve_catch_signals(void);

/**
 * Tells systemd that this service is ready, if it waits for that (sd_notify(3)).
 *
 * @return false after a message
 */
bool serve_tell_ready(void);
