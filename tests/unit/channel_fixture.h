/* SPDX-License-Identifier: BSD-2-Clause */
/* Both ends of a channel in one thread, on one piece of memory. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <crossvm/channel.h>

#define NOW CROSSVM_NOW
#define LATER CROSSVM_DEADLINE(1) /* a deadline that the wait callback finds to have passed */
#define FOREVER CROSSVM_FOREVER

struct end {
    crossvm_channel_t channel;
    int emits;                    /* of this end */
    int pending;                  /* events that came for this end, and that no wait took yet */
    int waits;                    /* calls of the wait callback */
    uint32_t limit_us;            /* of the last of them */
    void (*asleep)(struct end *); /* what happens while this end sleeps; may be NULL */
    struct end *other;
};

struct pair {
    struct end end[2];
    uint8_t *memory;
    size_t size;
};

/** Maps memory of that size between pages that nobody may touch, and initialises both ends. */
struct pair *pair_new(size_t size, unsigned mode, unsigned flags);

/** pair_new(), opened and connected. */
struct pair *pair_connected(size_t size, unsigned mode);

void pair_free(struct pair *pair);

/** Opens both ends and lets them meet. */
void pair_open(struct pair *pair);

/** A shared word of an end's block (CROSSVM_CHANNEL_*_AT). */
uint32_t *pair_word(struct pair *pair, unsigned end, unsigned at);

/** Fills a buffer with a pattern that depends on the seed. */
void fill(void *buffer, size_t length, unsigned seed);

/** Asserts that a buffer holds that pattern. */
void assert_filled(const void *buffer, size_t length, unsigned seed);
