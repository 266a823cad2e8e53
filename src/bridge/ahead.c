/* SPDX-License-Identifier: BSD-2-Clause */
#include "ahead.h"

#include "../channel/geometry.h"

static uint32_t round_up(uint32_t bytes)
{
    return (bytes + CROSSVM_CHANNEL_RECORD_ALIGN - 1) & ~(uint32_t)(CROSSVM_CHANNEL_RECORD_ALIGN - 1);
}

/* One load, into private memory. The acquire of PRODUCED by the caller orders it after the sender's stores. */
static uint32_t load(const struct ahead *ahead, uint32_t at)
{
    return __atomic_load_n((const uint32_t *)(const void *)(ahead->ring + at), __ATOMIC_RELAXED);
}

uint32_t ahead_longest(uint32_t ring_bytes)
{
    return channel_geometry_record(ring_bytes) - CROSSVM_CHANNEL_RECORD_HEADER;
}

/* Goes behind a record. */
static void pass(struct ahead *ahead, uint32_t record)
{
    ahead->place.index += record;
    ahead->place.position += record;
    ahead->place.part = 0;
    ahead->batch = 0;
}

/* What of the ring a record may have that begins at the place. */
static uint32_t tail(const struct ahead *ahead)
{
    return ahead->ring_bytes - ahead->place.position;
}

/* The record at the place. 1, or as ahead_next(). */
static int find_record(struct ahead *ahead, uint32_t produced, uint32_t *length, uint32_t *each)
{
    uint32_t there = produced - ahead->place.index;

    if (there == 0)
        return 0;
    if (there > ahead->ring_bytes || there % CROSSVM_CHANNEL_RECORD_ALIGN)
        return -1;
    if (tail(ahead) == 0)
        ahead->place.position = 0;
    *length = load(ahead, ahead->place.position);
    if (*length == CROSSVM_CHANNEL_RECORD_SKIP) {
        if (ahead->place.position == 0 || there <= tail(ahead))
            return -1;
        there -= tail(ahead);
        ahead->place.index += tail(ahead);
        ahead->place.position = 0;
        *length = load(ahead, 0);
    }
    *each = load(ahead, ahead->place.position + CROSSVM_CHANNEL_RECORD_EACH);
    if (*length > ahead->longest || CROSSVM_CHANNEL_RECORD_HEADER + round_up(*length) > there ||
        CROSSVM_CHANNEL_RECORD_HEADER + round_up(*length) > tail(ahead))
        return -1;
    if (*each && (*each % CROSSVM_CHANNEL_RECORD_ALIGN || *length % *each || *length / *each < 2))
        return -1;
    return 1;
}

/* The next datagram of the batch that the place is in. */
static void take_part(struct ahead *ahead, const uint8_t **data, uint32_t *length)
{
    *data =
        ahead->ring + ahead->place.position + CROSSVM_CHANNEL_RECORD_HEADER + (size_t)ahead->place.part * ahead->each;
    *length = ahead->each;
    ahead->place.part++;
    if (ahead->place.part * (uint64_t)ahead->each == ahead->batch)
        pass(ahead, CROSSVM_CHANNEL_RECORD_HEADER + ahead->batch);
}

bool ahead_begin(struct ahead *ahead, const uint8_t *ring, uint32_t ring_bytes, struct ahead_place place)
{
    *ahead =
        (struct ahead){.ring = ring, .ring_bytes = ring_bytes, .longest = ahead_longest(ring_bytes), .place = place};
    return place.position <= ring_bytes && place.position % CROSSVM_CHANNEL_RECORD_ALIGN == 0 &&
           place.index % CROSSVM_CHANNEL_RECORD_ALIGN == 0;
}

int ahead_next(struct ahead *ahead, uint32_t produced, const uint8_t **data, uint32_t *length)
{
    uint32_t each;
    int found;

    if (!ahead->batch) {
        found = find_record(ahead, produced, length, &each);
        if (found <= 0)
            return found;
        if (!each) {
            *data = ahead->ring + ahead->place.position + CROSSVM_CHANNEL_RECORD_HEADER;
            pass(ahead, CROSSVM_CHANNEL_RECORD_HEADER + round_up(*length));
            return 1;
        }
        /* A place in the middle of a batch was one of a batch that had so many. */
        if (ahead->place.part >= *length / each)
            return -1;
        ahead->batch = *length;
        ahead->each = each;
    }
    take_part(ahead, data, length);
    return 1;
}
