/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory as C11 has it: a load need not return what was stored last.
 *
 * Each word keeps the messages that were stored to it, in the order that all threads agree on (C11's modification
 * order). A thread's view says which message of each word it knows of. A load may return that message or any later one,
 * and each message holds a view of its own: an acquiring load joins it to the thread's. A fence that is sequentially
 * consistent also exchanges views with all such fences before it.
 *
 * Data is memory without messages. Two accesses to it of which one is a store must be ordered by happens-before, else
 * they are a race. Each thread counts its releases for that, and a view also holds the counts that its owner has
 * acquired.
 *
 * A thread executes in program order. So what a load returns never depends on a store that follows it in program order
 * (load buffering): docs/design.md has what that leaves out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_THREADS 4
#define MEMORY_BELLS 4
#define MEMORY_WORDS 44     /* at most, in one story */
#define MEMORY_MESSAGES 200 /* that can still be read */
#define MEMORY_GRAIN 8      /* bytes of data whose races are one */
#define MEMORY_GRAINS 448

/** For each word the index of a message, and for each thread how many of its releases are known. */
struct view {
    uint8_t at[MEMORY_WORDS];
    uint8_t releases[MEMORY_THREADS];
};

struct message {
    uint64_t value;
    struct view view; /* what an acquiring load of it learns */
    bool updates;     /* stored by a read-modify-write: nothing comes between it and the message before it */
};

/** Who accessed a grain of data, and in which of its own releases. */
struct grain {
    uint8_t writer, write;
    uint8_t reads[MEMORY_THREADS];
};

/** Views, by whose they are. */
enum {
    VIEW_CURRENT = 0,                       /* of a thread */
    VIEW_ACQUIRED = MEMORY_THREADS,         /* what an acquire fence of the thread would learn */
    VIEW_RELEASED = 2 * MEMORY_THREADS,     /* what its last release fence has published */
    VIEW_FLOOR = 3 * MEMORY_THREADS,        /* what it cannot fail to see, since time has passed */
    VIEW_MARKS = 4 * MEMORY_THREADS,        /* what there was when its nap began */
    VIEW_BELL = 5 * MEMORY_THREADS,         /* what an event carries */
    VIEW_FENCES = VIEW_BELL + MEMORY_BELLS, /* of all sequentially consistent fences */
    NUM_VIEWS
};

struct memory {
    struct view views[NUM_VIEWS];
    bool gone[MEMORY_THREADS]; /* these access nothing any more */
    uint8_t num_threads;
    uint8_t num_words;
    uint8_t users[MEMORY_WORDS]; /* threads that access a word, as bits */
    bool relaxes;                /* some stores are relaxed, so that it matters what a fence has published */
    uint8_t count[MEMORY_WORDS]; /* messages of a word */
    uint8_t first[MEMORY_WORDS]; /* its first one among all */
    unsigned int num_messages;
    struct grain grains[MEMORY_GRAINS];
    struct message messages[MEMORY_MESSAGES + 1]; /* by word, and then in modification order */
};

/** A memory of so many words. The caller then sets the values of their first messages, `users` and `relaxes`. */
void memory_begin(struct memory *memory, unsigned int threads, unsigned int words);

/** How many messages a load may return. The order is one of the compiler's __ATOMIC_ constants. */
unsigned int memory_loads(const struct memory *memory, unsigned int thread, unsigned int word, int order);

/** Loads. `pick` chooses the message: 0 is the last one. */
uint64_t memory_load(struct memory *memory, unsigned int thread, unsigned int word, int order, unsigned int pick);

/** At how many places in the modification order a store may go. */
unsigned int memory_stores(const struct memory *memory, unsigned int thread, unsigned int word, int order);

/** Stores. `pick` chooses the place: 0 is the end. */
void memory_store(struct memory *memory, unsigned int thread, unsigned int word, uint64_t value, int order,
                  unsigned int pick);

/** How many messages a read-modify-write may replace. */
unsigned int memory_updates(const struct memory *memory, unsigned int thread, unsigned int word, int order);

/** What a read-modify-write loads. memory_update() with the same pick must follow. */
uint64_t memory_updated(const struct memory *memory, unsigned int thread, unsigned int word, int order,
                        unsigned int pick);
void memory_update(struct memory *memory, unsigned int thread, unsigned int word, uint64_t value, int order,
                   unsigned int pick);

void memory_fence(struct memory *memory, unsigned int thread, int order);

/** Accesses `count` grains of data from a number on. Returns whether that is without a race. */
bool memory_read(struct memory *memory, unsigned int thread, unsigned int grain, unsigned int count);
bool memory_write(struct memory *memory, unsigned int thread, unsigned int grain, unsigned int count);

/** An event carries what its sender has released: all of it, or (relaxed) what was before a release fence. */
void memory_emit(struct memory *memory, unsigned int thread, unsigned int bell, int order);
void memory_take(struct memory *memory, unsigned int thread, unsigned int bell);

/** A nap, which lasts so long that a store before it is visible to all at its end, and one before its end to the
 * sleeper. */
void memory_nap(struct memory *memory, unsigned int thread);
void memory_nap_ends(struct memory *memory, unsigned int thread);

/** The thread has ended. */
void memory_end(struct memory *memory, unsigned int thread);

/** Forgets what nobody can read any more, and makes states equal in which the same can happen. */
void memory_tidy(struct memory *memory);
