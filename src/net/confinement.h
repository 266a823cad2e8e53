/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process gives up before it carries frames (src/sandbox). */
#pragma once

/**
 * Gives up privileges, files, and the system calls that carrying does not need: all that open anything are among them.
 * To be called when the interface and the connection are open.
 *
 * @return 0, or -1 after a message
 */
int net_confine(void);
