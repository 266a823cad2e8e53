/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other end of a bridge's connection writes its ring, and the mark that a killed bridge left, as it likes. Whatever
 * is there, the next bridge reads datagrams of the ring only, at most as many as the ring has room for.
 */
#include "fuzz.h"

#include "../../src/bridge/mark.h"

#define MOST_RING 4096

static void read_all(struct ahead *ahead, const uint8_t *ring, uint32_t ring_bytes, uint32_t produced)
{
    const uint8_t *found;
    uint32_t length, bytes = 0;

    while (ahead_next(ahead, produced, &found, &length) > 0) {
        REQUIRE(found >= ring && length <= ring_bytes && (size_t)(found - ring) <= ring_bytes - length);
        REQUIRE(length <= ahead_longest(ring_bytes));
        bytes += length ? length : 8;
        REQUIRE(bytes <= ring_bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    const uint32_t ring_bytes = 64 * (1 + input_choice(&input, MOST_RING / 64));
    uint8_t *ring = aligned_alloc(64, ring_bytes);
    uint32_t produced;
    struct mark_state state;
    struct mark mark;
    struct ahead ahead;

    REQUIRE(ring);
    produced = (uint32_t)input_number(&input, 4);
    input_bytes(&input, &mark, sizeof(mark));
    input_bytes(&input, ring, ring_bytes);
    if (mark_read(&mark, mark.purpose, 1, mark.to_index[0], &state) &&
        ahead_begin(&ahead, ring, ring_bytes, state.taken))
        read_all(&ahead, ring, ring_bytes, produced);
    if (ahead_begin(&ahead, ring, ring_bytes, (struct ahead_place){0}))
        read_all(&ahead, ring, ring_bytes, produced);
    free(ring);
    return 0;
}
