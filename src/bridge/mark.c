/* SPDX-License-Identifier: BSD-2-Clause */
#include "mark.h"

#define MAGIC 0x4d425643 /* "CVBM" */

/*
 * Only a process that is killed leaves its stores half done, and then the kernel has all that came before in program
 * order. So it suffices that the compiler keeps this order, and that nothing of it is left out.
 */
#define PUT(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELEASE)
#define GET(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)

/* FNV-1a, of 32 bits. */
uint32_t mark_purpose(const char *const texts[], size_t num_texts)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < num_texts; i++) {
        const char *text = texts[i] ? texts[i] : "";

        do
            hash = (hash ^ (uint8_t)*text) * 16777619u;
        while (*text++);
    }
    return hash;
}

void mark_begin(struct mark *mark, uint32_t purpose, uint64_t stored, uint64_t given)
{
    PUT(mark->valid, 0);
    PUT(mark->magic, MAGIC);
    PUT(mark->purpose, purpose);
    mark_taken(mark, (struct ahead_place){0}, stored);
    PUT(mark->to_sequence[0], given);
    PUT(mark->to_index[0], 0);
    PUT(mark->to_index[1], UINT32_MAX); /* no index: it is not a multiple of 8 */
    PUT(mark->valid, MARK_VALID);
}

void mark_taken(struct mark *mark, struct ahead_place place, uint64_t stored)
{
    unsigned int i = (GET(mark->taken) & 1) ^ 1;

    PUT(mark->from[i].sequence, stored);
    PUT(mark->from[i].index, place.index);
    PUT(mark->from[i].position, place.position);
    PUT(mark->from_part[i], place.part);
    PUT(mark->taken, i);
}

void mark_given(struct mark *mark, uint32_t index, uint64_t sequence)
{
    /* Not the half that is about the present PRODUCED: that counts until PRODUCED changes. */
    unsigned int i = (int32_t)(GET(mark->to_index[0]) - GET(mark->to_index[1])) < 0 ? 0 : 1;

    if (GET(mark->to_index[1]) % 2) /* none yet */
        i = 1;
    PUT(mark->to_sequence[i], sequence);
    PUT(mark->to_index[i], index);
}

bool mark_read(const struct mark *mark, uint32_t purpose, uint32_t ack, uint32_t produced, struct mark_state *state)
{
    unsigned int i = GET(mark->taken) & 1;

    if (GET(mark->magic) != MAGIC || GET(mark->purpose) != purpose || ack == 0 || GET(mark->valid) != MARK_VALID)
        return false;
    *state = (struct mark_state){
        .taken = {.index = GET(mark->from[i].index),
                  .position = GET(mark->from[i].position),
                  .part = GET(mark->from_part[i])},
        .stored = GET(mark->from[i].sequence),
    };
    for (i = 0; i < 2; i++) {
        if (GET(mark->to_index[i]) == produced) {
            state->given = GET(mark->to_sequence[i]);
            return true;
        }
    }
    return false;
}
