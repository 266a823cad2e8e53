/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that wait for the events of one end, in a weak memory: whoever takes an event wakes the others, nobody sleeps
 * while there is something to do, and one thread at a time uses the end.
 */
#include "../../src/lib/waiters.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "../../src/lib/end.h"
#include "world.h"

enum { EVENT, FUTEX }; /* bells; of each waiting thread one */

static struct stage {
    _Alignas(64) uint64_t taken; /* events that the end has returned: of who leads alone */
    uint32_t arrived;            /* number of what the peer sent last */
    struct crossvm_end end;
    bool sleeps[MEMORY_THREADS]; /* in the futex */
} stage;

/*
 * What is outside
 */

int crossvm_wait(crossvm_end_t *end, crossvm_deadline_t deadline)
{
    (void)end;
    if (crossvm_deadline_is_now(deadline) && !world_take(EVENT)) {
        stage.taken += 0;
        return 0;
    }
    if (!crossvm_deadline_is_now(deadline))
        (void)world_wait(EVENT, false);
    stage.taken++;
    return 1;
}

int cvm_end_take(struct crossvm_end *end, uint64_t *peer)
{
    (void)end;
    stage.taken += world_take(EVENT) ? 1 : 0;
    *peer = (uint64_t)1 << 32 | CROSSVM_PEER_READY;
    return 0;
}

uint32_t crossvm_peer_state(const crossvm_end_t *end, uint32_t *generation)
{
    (void)end;
    *generation = 1;
    return CROSSVM_PEER_READY;
}

/* The kernel compares the word and lets the thread sleep in one step; a waker comes before or after that. */
static long futex_wait(uint32_t *word, uint32_t value)
{
    const unsigned int thread = world_thread();

    if (__atomic_load_n(word, __ATOMIC_SEQ_CST) != value) {
        errno = EAGAIN;
        return -1;
    }
    stage.sleeps[thread] = true;
    (void)world_wait(FUTEX + thread, false);
    return 0;
}

/* Wakes so many at most: any of them, for which those with the lowest numbers stand. */
static long futex_wake(uint32_t most)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned int i = 0; i < MEMORY_THREADS && most > 0; i++) {
        if (!stage.sleeps[i])
            continue;
        stage.sleeps[i] = false;
        world_add_event(FUTEX + i);
        most--;
    }
    return 0;
}

long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    va_list arguments;
    uint32_t *word, value;
    int operation;

    va_start(arguments, number);
    word = va_arg(arguments, uint32_t *);
    operation = va_arg(arguments, int);
    value = va_arg(arguments, uint32_t);
    va_end(arguments);
    if (number != SYS_futex)
        world_fail("a system call that is none of a futex");
    return operation == FUTEX_WAKE_PRIVATE ? futex_wake(value) : futex_wait(word, value);
}

/*
 * Threads
 */

static void send(uint32_t number)
{
    __atomic_store_n(&stage.arrived, number, __ATOMIC_RELAXED);
    world_emit(EVENT, __ATOMIC_RELEASE);
}

static bool peer(unsigned int thread)
{
    (void)thread;
    send(1);
    return true;
}

static bool peer_twice(unsigned int thread)
{
    (void)thread;
    send(1);
    send(2);
    return true;
}

/* Waits until the peer has sent so much. */
static bool wait_until(uint32_t number)
{
    uint32_t known = 0;

    while (__atomic_load_n(&stage.arrived, __ATOMIC_RELAXED) < number)
        if (cvm_waiters_wait(&stage.end, &known, DEADLINE_NEVER) < 0)
            return false;
    return true;
}

static bool waiter(unsigned int thread)
{
    (void)thread;
    return wait_until(1);
}

static bool patient_waiter(unsigned int thread)
{
    (void)thread;
    return wait_until(2);
}

/* Looks for events from time to time, as a program with a loop of its own does. */
static bool poller(unsigned int thread)
{
    uint32_t known = 0;

    (void)thread;
    return cvm_waiters_take(&stage.end, &known) == 0;
}

static void begin(const struct story *story)
{
    (void)story;
    world_share_data(&stage.taken, sizeof(stage.taken));
    world_share_words(&stage.arrived, sizeof(stage.arrived));
    world_share_words(&stage.end.waiters, sizeof(stage.end.waiters));
}

static const struct story stories[] = {
    {"one waits", .threads = 2, .begin = begin, .run = {peer, waiter}},
    {"two wait", .threads = 3, .begin = begin, .run = {peer, waiter, waiter}},
    {"two wait, one of them longer", .threads = 3, .begin = begin, .run = {peer_twice, waiter, patient_waiter}},
    {"three wait, few switches", .threads = 4, .switches = 1, .begin = begin, .run = {waiter, waiter, waiter, peer}},
    {"one waits, one looks", .threads = 3, .begin = begin, .run = {peer, waiter, poller}},
};

#define NUM_STORIES (sizeof(stories) / sizeof(stories[0]))

/* test_model_waiters [quick | STORY] */
int main(int argc, char **argv)
{
    world_stage(&stage, sizeof(stage));
    return explore_stories(stories, NUM_STORIES, NUM_STORIES, argc, argv);
}
