/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world in which threads run in every possible order, over a memory that is weak (memory.h).
 *
 * The code in question is the project's own. It is compiled with the compiler's instrumentation for the thread
 * sanitizer, which calls a function for each access and each fence, with its memory order; instrumented.c has these
 * functions. Each thread is a coroutine that stops before what others can see or influence. The explorer chooses which
 * thread goes on, and which message a load returns. A thread can be killed where it stops, and its successor starts on
 * the memory as it was left.
 *
 * All that there is lies in one struct and in the story's stage, so that the explorer goes back to a choice by copying.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory.h"

/** A story to explore. */
struct story {
    const char *name;
    unsigned int threads;
    void (*begin)(const struct story *story);         /* sets the stage, with memory that is not weak */
    bool (*run[MEMORY_THREADS])(unsigned int thread); /* what each thread does; returns whether it ended well */
    bool forever[MEMORY_THREADS];                     /* this thread may be asleep when the story ends */
    void (*forget)(void);                             /* sets what makes no difference to 0; or NULL */
    void (*ended)(void);                              /* called at each end, after the threads; or NULL */
    bool naps;                                        /* a sleep may end because its time is over */
    int switches;                        /* how often a thread is stopped though it could go on; 0: no limit */
    int kills;                           /* how many threads may be killed, in all */
    void (*killed)(unsigned int thread); /* a successor is about to begin */
    unsigned int mode, flags, spin;      /* of a channel */
};

/** The memory in which stories take place. It is copied and compared whole. Call it before explore(). */
void world_stage(void *memory, size_t bytes);

/** Parts of the stage that threads share. For begin(). */
void world_share_words(const volatile void *from, size_t bytes);
void world_share_data(const volatile void *from, size_t bytes);

/** A word whose stores are events that carry what a fence has ordered before them. */
void world_share_doorbell(const volatile void *word, unsigned int bell);

/** Explores all orders. Prints what it found; returns whether all was well. */
bool explore(const struct story *what);

/** Explores those that the command line names: "quick" are the first of them, and none are all. Returns what main()
 * returns. */
int explore_stories(const struct story *stories, size_t count, size_t quick, int argc, char **argv);

/** As explore(), without a word. Returns NULL or the reason of a failure. */
const char *explore_quietly(const struct story *what);

/** Ends the order that is being explored as a failure. Called by threads. */
void world_fail(const char *reason);

/** Whose turn it is. */
unsigned int world_thread(void);

/*
 * Events: signals outside of the memory. One waits until a thread takes it.
 */

/** Emits. The order is that of memory_emit(). */
void world_emit(unsigned int bell, int order);

/** Sleeps until there is an event, and takes it. With a nap: false when 1 ms has passed. */
bool world_wait(unsigned int bell, bool nap);

/** Takes the event that is there; false when there is none. */
bool world_take(unsigned int bell);

/** Adds an event without a sender, or takes one away. For begin() and killed(). */
void world_add_event(unsigned int bell);
void world_forget_event(unsigned int bell);

/** Whether a thread has ended. */
bool world_has_ended(unsigned int thread);
