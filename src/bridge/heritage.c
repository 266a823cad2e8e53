/* SPDX-License-Identifier: BSD-2-Clause */
#include "heritage.h"

#include "../channel/geometry.h"

static uint32_t *word(uint8_t *block, unsigned int at)
{
    return (uint32_t *)(void *)(block + at);
}

/* Acquire: orders the load before those of what the word covers. Pairs with the releases of the ends. */
static uint32_t load(const uint8_t *block, unsigned int at)
{
    return __atomic_load_n((const uint32_t *)(const void *)(block + at), __ATOMIC_ACQUIRE);
}

void heritage_find(struct heritage *heritage, crossvm_end_t *end, unsigned int dataport)
{
    crossvm_dataport_t found = {0};
    uint8_t *memory;

    *heritage = (struct heritage){.end = end, .number = crossvm_end_number(end)};
    for (size_t i = 0; (found = crossvm_dataport(end, i)).address; i++) {
        if (dataport ? i + 1 == dataport : found.rights & CROSSVM_RIGHT_WRITE && found.size >= CROSSVM_CHANNEL_MIN_SIZE)
            break;
    }
    if (!found.address || !(found.rights & CROSSVM_RIGHT_WRITE) || found.size < CROSSVM_CHANNEL_MIN_SIZE)
        return; /* making the channel will say so */
    memory = found.address;
    heritage->ring_bytes = channel_geometry_ring(found.size);
    heritage->own = memory + CROSSVM_CHANNEL_BLOCK_AT(heritage->number);
    heritage->peer = memory + CROSSVM_CHANNEL_BLOCK_AT(1 - heritage->number);
    heritage->rings[0] = memory + CROSSVM_CHANNEL_RINGS_AT;
    heritage->rings[1] = heritage->rings[0] + heritage->ring_bytes;
    heritage->mark = (struct mark *)(void *)(heritage->own + MARK_AT);
}

void heritage_ask_to_leave(struct heritage *heritage)
{
    const uint32_t generation = load(heritage->own, CROSSVM_CHANNEL_GENERATION_AT) + 1;

    /* So that it stores the whole CONSUMED, once it has taken all. */
    __atomic_store_n(word(heritage->own, CROSSVM_CHANNEL_FIN_AT), load(heritage->peer, CROSSVM_CHANNEL_ACK_AT),
                     __ATOMIC_RELEASE);
    __atomic_store_n(word(heritage->own, CROSSVM_CHANNEL_GENERATION_AT), generation ? generation : 1, __ATOMIC_RELEASE);
    (void)crossvm_emit(heritage->end);
}

bool heritage_claim(struct heritage *heritage, uint32_t purpose)
{
    const uint8_t *own = heritage->own;

    if (!own || load(own, CROSSVM_CHANNEL_MAGIC_AT) != CROSSVM_CHANNEL_MAGIC ||
        load(own, CROSSVM_CHANNEL_MODE_AT) != CROSSVM_CHANNEL_DATAGRAM ||
        load(own, CROSSVM_CHANNEL_RING_BYTES_AT) != heritage->ring_bytes ||
        !mark_read(heritage->mark, purpose, load(own, CROSSVM_CHANNEL_ACK_AT), load(own, CROSSVM_CHANNEL_PRODUCED_AT),
                   &heritage->state))
        return false;
    heritage_ask_to_leave(heritage);
    return true;
}

bool heritage_is_settled(const struct heritage *heritage, bool hub_knows)
{
    const uint32_t generation = load(heritage->peer, CROSSVM_CHANNEL_GENERATION_AT);

    if (generation != load(heritage->own, CROSSVM_CHANNEL_ACK_AT) || load(heritage->peer, CROSSVM_CHANNEL_ACK_AT) == 0)
        return true; /* it began anew */
    if (load(heritage->peer, CROSSVM_CHANNEL_FIN_AT) == generation &&
        load(heritage->peer, CROSSVM_CHANNEL_STOP_AT) == generation)
        return true; /* it has closed */
    return hub_knows && (crossvm_peer_state(heritage->end, NULL) == CROSSVM_PEER_PRESENT ||
                         crossvm_peer_state(heritage->end, NULL) == CROSSVM_PEER_ABSENT);
}

const uint32_t *heritage_produced(const struct heritage *heritage)
{
    return word(heritage->peer, CROSSVM_CHANNEL_PRODUCED_AT);
}

bool heritage_ahead(const struct heritage *heritage, struct ahead *ahead)
{
    return ahead_begin(ahead, heritage->rings[1 - heritage->number], heritage->ring_bytes, heritage->state.taken);
}

/* Position 0 has the index LAP: of the round that is there, or of the next one. */
static uint32_t position_of(uint32_t index, uint32_t lap, uint32_t ring_bytes)
{
    return index - lap <= ring_bytes ? index - lap : ring_bytes - (lap - index);
}

uint64_t heritage_count_left(const struct heritage *heritage)
{
    const uint32_t produced = load(heritage->own, CROSSVM_CHANNEL_PRODUCED_AT);
    const uint32_t consumed = load(heritage->peer, CROSSVM_CHANNEL_CONSUMED_AT);
    const uint32_t lap = load(heritage->own, CROSSVM_CHANNEL_LAP_AT);
    const struct ahead_place place = {.index = consumed, .position = position_of(consumed, lap, heritage->ring_bytes)};
    const uint8_t *data;
    uint32_t length;
    struct ahead ahead;
    uint64_t count = 0;

    if (!ahead_begin(&ahead, heritage->rings[heritage->number], heritage->ring_bytes, place))
        return 0;
    while (ahead_next(&ahead, produced, &data, &length) > 0)
        count++;
    return count;
}
