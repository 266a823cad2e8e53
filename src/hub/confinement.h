/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process that serves a hub needs, and what it gives up (src/sandbox). */
#pragma once

#include "../sandbox/filter.h"
#include "../sandbox/limits.h"
#include "hub.h"

/** What the thread of a hub's loop calls, with all threads that it starts; beside libc_calls() and libc_thread_calls().
 */
struct filter_list hub_calls(void);

/**
 * The limits of a process with a hub.
 *
 * @param descriptors that it may have at most: HUB_DESCRIPTORS and hub_descriptors() of its connections
 * @param file_bytes  the most that hub_file_bytes() says of one
 */
struct limits hub_limits(size_t descriptors, uint64_t file_bytes);

/** The folder of a file, for a list of what may still be touched. */
void hub_folder_of(char folder[PATH_MAX], const char *path);
