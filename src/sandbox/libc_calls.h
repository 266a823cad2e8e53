/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the C library itself may call in any thread, whatever that does: glibc 2.36 and 2.41 were tried. Lists for
 * filter_make().
 */
#pragma once

#include "filter.h"

/** In each thread: locks, the heap, time, signals to the process itself, messages, the end. */
struct filter_list libc_calls(void);

/** To start threads. */
struct filter_list libc_thread_calls(void);
