/* SPDX-License-Identifier: BSD-2-Clause */
/* What processes hold, and whether their threads sleep, as /proc shows it. Include after cmocka.h. */
#pragma once

#include <sys/types.h>

/** What a process has taken and not given back. */
struct holdings {
    int descriptors;
    int mappings; /**< of memory that is shared */
};

/** What a process holds now. */
struct holdings holdings_of(pid_t process);

/** Waits until a process holds as much as it did before. */
void holdings_await(pid_t process, const struct holdings *before);

/** Waits until a thread sleeps ('S'), or is stopped ('T'). Of a process, that is its main thread. */
void holdings_await_state(pid_t thread, char state);
