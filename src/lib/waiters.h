/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads that wait for the events of one end: those that send and receive through the end's channels.
 *
 * crossvm_wait() is for one thread at a time, and takes the events that it returns. So one of the waiting threads
 * leads: it calls crossvm_wait(), and the others follow: they wait for the leader. Each time that a leader has
 * something, it counts one wake-up. Each waiting thread has its own count of the wake-ups that it knows of, and so
 * learns of those that came while it was busy.
 */
#pragma once

#include <stdbool.h>

#include "deadline.h"

struct crossvm_end;

struct waiters {
    uint32_t led;       /* some thread leads */
    uint32_t wake_ups;  /* so far; a futex */
    uint32_t followers; /* threads that sleep until there is another wake-up */
    uint32_t gone;      /* nothing will come any more: the errno value that crossvm_wait() returned; or 0 */
    uint64_t peer;      /* state in the lower half, generation in the upper one, as the last leader saw them */
};

/** Learns what is at the other end now. False when another thread leads: that one will learn it. */
bool cvm_waiters_look(struct crossvm_end *end);

/**
 * Waits until an event comes, the peer changes or the time is over.
 *
 * @param known of the caller: the wake-ups that it knows of. If there are others, the wait ends at once
 * @return 0 when there may be something new; -ETIMEDOUT; or what crossvm_wait() returned
 */
int cvm_waiters_wait(struct crossvm_end *end, uint32_t *known, deadline_t deadline);

/** Takes what makes the end's descriptor readable, without waiting. Returns 0, or what cvm_end_take() returned. */
int cvm_waiters_take(struct crossvm_end *end, uint32_t *known);
