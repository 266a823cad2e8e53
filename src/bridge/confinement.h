/* SPDX-License-Identifier: BSD-2-Clause */
/* What a bridge gives up before it hears a server or the other end (src/sandbox). */
#pragma once

#include "config.h"

/**
 * Gives up privileges, and the system calls and files that carrying does not need. It may still connect to servers, and
 * look up their names.
 *
 * To be called when the connection is open and all files are read, and before the NATS library starts threads.
 *
 * @return 0, or -1 after a message
 */
int bridge_confine(const struct bridge_config *config);
