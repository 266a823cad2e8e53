/* SPDX-License-Identifier: BSD-2-Clause */
/* What world.c (threads and what they share), access.c (their accesses) and explorer.c (the choices) share. */
#pragma once

#include <setjmp.h>

#include "world.h"

#define STACK_BYTES 8192

enum mood { READY, ASLEEP, NAPPING, FINISHED };

/* Why a thread has stopped: what it does next. */
enum stop { BEGINS, LOADS, STORES, UPDATES, FENCES, EMITS, WAITS, ENDS };

struct actor {
    jmp_buf place; /* where it stopped */
    uint8_t stack[STACK_BYTES] __attribute__((aligned(64)));
    uint8_t *stack_used; /* from here on, where it stopped */
    bool begun;
    enum mood mood;
    enum stop stop;
    unsigned int word, bell; /* of what it does next */
    int order;
    unsigned int pick; /* the explorer's choice for that */
    bool nap_over;     /* the sleep ends because its time is over */
};

/** Everything but the stage. */
struct world {
    int kills;
    int last;     /* thread that went on last */
    int switches; /* how often a thread may still be stopped though it could go on */
    bool event[MEMORY_BELLS];
    const char *failure;
    struct memory memory;
    struct actor actor[MEMORY_THREADS]; /* copied as far as the story has threads */
};
extern struct world world;

extern const struct story *story;
extern int current; /* whose turn it is; -1 outside of any */

/** Where stories take place. */
struct stage_memory {
    void *memory;
    size_t bytes;
};
extern struct stage_memory stage_memory;

/** Memory that threads share: words, or data. */
struct range {
    const uint8_t *from;
    size_t bytes;
    bool words;
    unsigned int first; /* word or grain */
};

struct word {
    uint8_t *address;
    size_t size;
    unsigned int writers, users; /* bits */
};

/**
 * Words get a number when they are first accessed. What is known of them stays for all of the story: who accesses a
 * word that nobody else writes need not stop there. When the explorer learns more of that, it begins again.
 */
struct known {
    struct word words[MEMORY_WORDS];
    unsigned int num_words;
    bool relaxes; /* some stores are relaxed */
    bool learned; /* something of this is news */
};
extern struct known known;

/** What range an address is in; NULL: it is nobody else's, or no thread runs. */
const struct range *range_of(const volatile void *address);

/** Number of the word at an address. */
unsigned int word_of(const struct range *range, const volatile void *address, size_t size, bool is_write);

/** Whether a store to an address is an event. */
bool doorbell_of(const volatile void *address, unsigned int *bell);

/** Grains of data that are shared. */
unsigned int num_grains(void);

/** Notes the order of a store, or of an event. */
void note_order(int order);

/** The thread stops, and goes on when the explorer chooses it. */
void stop_here(enum stop stop);

/** Before anything else happens: a volatile access that was announced has been made by now. */
void access_complete(void);

/** An announcement is of no account any more. */
void access_forget(void);

/** Begins the story anew, or begins a life of a thread anew. */
void begin_world(void);
void kill_thread(unsigned int thread);

/** Lets a thread go on until it stops. */
void resume(unsigned int thread);

/** A new story: nothing is known of its words. */
void forget_known(void);

/** The value at an address. */
static inline uint64_t get(const void *address, size_t size)
{
    uint64_t value = 0;

    __builtin_memcpy(&value, address, size); /* little-endian, as all machines on which this runs */
    return value;
}
