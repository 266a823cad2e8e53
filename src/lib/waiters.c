/* SPDX-License-Identifier: BSD-2-Clause */
#include "waiters.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "end.h"

/* --- the leader --- */

static bool try_to_lead(struct waiters *waiters)
{
    /* Acquire: orders this load before the use of what the last leader left in the end. Pairs with the release in
     * stop_leading(). */
    return __atomic_exchange_n(&waiters->led, 1, __ATOMIC_ACQUIRE) == 0;
}

/*
 * Lets another thread lead. Counts a wake-up before that, so that the next leader does not sleep on an event that this
 * one has taken; and one after, so that a thread that still saw a leader does not follow it: it sleeps only while the
 * count stays the same. The additions also publish `peer` and `gone`.
 */
static void stop_leading(struct waiters *waiters, uint32_t *known)
{
    (void)__atomic_add_fetch(&waiters->wake_ups, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&waiters->led, 0, __ATOMIC_RELEASE);
    *known = __atomic_add_fetch(&waiters->wake_ups, 1, __ATOMIC_SEQ_CST);
    /* Orders the addition before this load. Pairs with the addition in follow(), before the futex loads the count:
     * either this thread sees the follower, or the follower sees the new count. */
    if (__atomic_load_n(&waiters->followers, __ATOMIC_SEQ_CST) > 0)
        (void)syscall(SYS_futex, &waiters->wake_ups, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
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
    uint32_t known;

    if (!try_to_lead(&end->waiters))
        return false;
    learn_peer(end);
    stop_leading(&end->waiters, &known);
    return true;
}

static void learn_failure(struct waiters *waiters, int error)
{
    if (error != -EINTR)
        __atomic_store_n(&waiters->gone, (uint32_t)-error, __ATOMIC_RELAXED);
}

/* One look at the end, as its leader. */
static int look(struct crossvm_end *end, deadline_t deadline)
{
    int result = crossvm_wait(end, CROSSVM_DEADLINE(deadline));

    if (result == 0) /* the peer may have changed. After events, the next call returns 0 for that */
        learn_peer(end);
    else if (result < 0)
        learn_failure(&end->waiters, result);
    return result;
}

static int lead(struct crossvm_end *end, uint32_t *known, deadline_t deadline)
{
    int result = look(end, deadline);

    stop_leading(&end->waiters, known);
    if (result == 0 && deadline_is_over(deadline))
        return -ETIMEDOUT;
    return result < 0 ? result : 0;
}

/* --- the followers --- */

/* Sleeps until there is another wake-up than those that are known. */
static int follow(struct waiters *waiters, uint32_t known, deadline_t deadline)
{
    struct timespec until = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
    long result;

    if (deadline <= 0) /* long over, and the kernel would refuse it */
        return -ETIMEDOUT;
    (void)__atomic_add_fetch(&waiters->followers, 1, __ATOMIC_SEQ_CST);
    result = syscall(SYS_futex, &waiters->wake_ups, FUTEX_WAIT_BITSET_PRIVATE, known,
                     deadline == DEADLINE_NEVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    (void)__atomic_sub_fetch(&waiters->followers, 1, __ATOMIC_RELAXED);
    return result < 0 && (errno == ETIMEDOUT || errno == EINTR) ? -errno : 0;
}

int cvm_waiters_wait(struct crossvm_end *end, uint32_t *known, deadline_t deadline)
{
    struct waiters *waiters = &end->waiters;

    for (;;) {
        uint32_t now = __atomic_load_n(&waiters->wake_ups, __ATOMIC_ACQUIRE);
        int result;

        if (now != *known) {
            *known = now;
            return 0;
        }
        if (try_to_lead(waiters)) {
            /* Another thread may have led since the load above. The acquire in try_to_lead() orders this one. */
            if (__atomic_load_n(&waiters->wake_ups, __ATOMIC_RELAXED) == now)
                return lead(end, known, deadline);
            stop_leading(waiters, known);
            return 0;
        }
        result = follow(waiters, now, deadline);
        if (result < 0)
            return result;
    }
}

int cvm_waiters_take(struct crossvm_end *end, uint32_t *known)
{
    struct waiters *waiters = &end->waiters;
    uint64_t peer;
    int result;

    if (!try_to_lead(waiters))
        return 0; /* the leader takes it, and counts a wake-up */
    result = cvm_end_take(end, &peer);
    if (result == 0)
        __atomic_store_n(&waiters->peer, peer, __ATOMIC_RELAXED);
    else
        learn_failure(waiters, result);
    stop_leading(waiters, known);
    return result == -EINTR ? 0 : result;
}
