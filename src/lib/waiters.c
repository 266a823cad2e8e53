/* SPDX-License-Identifier: BSD-2-Clause */
#include "waiters.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "end.h"

/* A peer that never stops ringing keeps nobody from going on. */
#define MOST_LOOKS 8

/* --- the leader --- */

static bool try_to_lead(struct waiters *waiters)
{
    /* Acquire: what the last leader left in the end, before our use of it. */
    return __atomic_exchange_n(&waiters->led, 1, __ATOMIC_ACQUIRE) == 0;
}

/*
 * Lets another lead, and tells everybody to look: before, for who leads next, and must not sleep on what this one took;
 * and after, for who saw that there is a leader. That one sleeps only while `rung` stands still, and finds nobody
 * leading when it has changed. The additions are also what publishes `peer` and `gone`.
 */
static void stop_leading(struct waiters *waiters, uint32_t *rung)
{
    (void)__atomic_add_fetch(&waiters->rung, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&waiters->led, 0, __ATOMIC_RELEASE);
    *rung = __atomic_add_fetch(&waiters->rung, 1, __ATOMIC_SEQ_CST);
    /* Sequentially consistent, as in follow(): either we see the sleeper, or it sees the new count. */
    if (__atomic_load_n(&waiters->sleepers, __ATOMIC_SEQ_CST) > 0)
        (void)syscall(SYS_futex, &waiters->rung, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* As the leader. */
static void learn_peer(struct crossvm_end *end)
{
    uint32_t generation;
    uint32_t state = crossvm_peer_state(end, &generation);

    __atomic_store_n(&end->waiters.peer, (uint64_t)generation << 32 | state, __ATOMIC_RELAXED);
}

bool cvm_waiters_look(struct crossvm_end *end)
{
    uint32_t rung;

    if (!try_to_lead(&end->waiters))
        return false;
    learn_peer(end);
    stop_leading(&end->waiters, &rung);
    return true;
}

/* One look at the end, as its leader. */
static int look(struct crossvm_end *end, deadline_t deadline)
{
    int result = crossvm_wait(end, CROSSVM_DEADLINE(deadline));

    if (result == 0) /* the peer may have changed; with events, that comes next time */
        learn_peer(end);
    else if (result < 0 && result != -EINTR)
        __atomic_store_n(&end->waiters.gone, (uint32_t)-result, __ATOMIC_RELAXED);
    return result;
}

static int lead(struct crossvm_end *end, uint32_t *rung, deadline_t deadline)
{
    int result = look(end, deadline);

    stop_leading(&end->waiters, rung);
    if (result == 0 && deadline_is_over(deadline))
        return -ETIMEDOUT;
    return result < 0 ? result : 0;
}

/* --- the others --- */

/* Sleeps while the leader has nothing to tell. */
static int follow(struct waiters *waiters, uint32_t rung, deadline_t deadline)
{
    struct timespec until = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
    long result;

    if (deadline <= 0) /* a time that the kernel would refuse, long over */
        return -ETIMEDOUT;
    (void)__atomic_add_fetch(&waiters->sleepers, 1, __ATOMIC_SEQ_CST);
    result = syscall(SYS_futex, &waiters->rung, FUTEX_WAIT_BITSET_PRIVATE, rung,
                     deadline == DEADLINE_NEVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    (void)__atomic_sub_fetch(&waiters->sleepers, 1, __ATOMIC_RELAXED);
    return result < 0 && (errno == ETIMEDOUT || errno == EINTR) ? -errno : 0;
}

int cvm_waiters_wait(struct crossvm_end *end, uint32_t *rung, deadline_t deadline)
{
    struct waiters *waiters = &end->waiters;

    for (;;) {
        uint32_t now = __atomic_load_n(&waiters->rung, __ATOMIC_ACQUIRE);
        int result;

        if (now != *rung) {
            *rung = now;
            return 0;
        }
        if (try_to_lead(waiters)) {
            /* A leader may have come and gone since we looked. */
            if (__atomic_load_n(&waiters->rung, __ATOMIC_ACQUIRE) == now)
                return lead(end, rung, deadline);
            stop_leading(waiters, rung);
            return 0;
        }
        result = follow(waiters, now, deadline);
        if (result < 0)
            return result;
    }
}

int cvm_waiters_take(struct crossvm_end *end, uint32_t *rung)
{
    struct waiters *waiters = &end->waiters;
    int result = 1;

    if (!try_to_lead(waiters))
        return 0; /* the leader takes it, and tells */
    for (int looks = 0; result > 0 && looks < MOST_LOOKS; looks++)
        result = look(end, DEADLINE_NOW);
    if (result > 0) {
        learn_peer(end);
        result = 0;
    }
    stop_leading(waiters, rung);
    return result == -EINTR ? 0 : result;
}
