/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bell of an end, for several who wait: the channels of the end, each with a thread that sends and one that
 * receives.
 *
 * crossvm_wait() is for one thread at a time and takes the events that it tells. So one of those who wait leads: it
 * calls crossvm_wait() and tells all others, who wait for the leader meanwhile. Each of them has its own count of the
 * rings that it knows of, and so learns of those that a leader took while it was busy.
 */
#pragma once

#include <stdbool.h>

#include "deadline.h"

struct crossvm_end;

struct waiters {
    uint32_t led;      /* somebody is in crossvm_wait() */
    uint32_t rung;     /* times that there was something to look at; a futex */
    uint32_t sleepers; /* who wait for the leader */
    uint32_t gone;     /* nothing will come any more: the errno value that crossvm_wait() returned */
    uint64_t peer;     /* state in the lower half, generation in the upper one, as the last leader saw them */
};

/** Learns who is at the other end now. False when another thread is in crossvm_wait() and will learn it. */
bool cvm_waiters_look(struct crossvm_end *end);

/**
 * Waits until the bell rings, the peer changes or the time is over.
 *
 * @param rung of the caller: the rings that it knows of. What comes after them ends the wait at once
 * @return 0 when there may be something new; -ETIMEDOUT; or what crossvm_wait() returned
 */
int cvm_waiters_wait(struct crossvm_end *end, uint32_t *rung, deadline_t deadline);

/** Takes what waits at the end's descriptor, without waiting. Returns 0, or what crossvm_wait() returned. */
int cvm_waiters_take(struct crossvm_end *end, uint32_t *rung);
