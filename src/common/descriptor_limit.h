/* SPDX-License-Identifier: BSD-2-Clause */
/* How many descriptors a process may have. */
#pragma once

#include <stddef.h>

/**
 * Raises the limit to the most that this process may have, also for the programs that it starts. Connections take up to
 * ten descriptors each, and the usual limit is low for the sake of programs that call select().
 */
void descriptor_limit_raise(void);

/**
 * Checks that the limit of descriptors suffices. poll() fails for ever when it is given more than that.
 *
 * @param what what needs them, as the subject of a sentence
 * @return 0, or -1 after a message
 */
int descriptor_limit_check(const char *what, size_t needed);
