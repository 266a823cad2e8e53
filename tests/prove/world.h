/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything around a direction of a channel: rings, shared words, and the session, which may be in any state and
 * change it at any time. What a session does to a direction is to begin it, at index 0.
 */
#pragma once

#include <stdlib.h>

#include "channel.h"

#include "../../src/channel/channel.c"

static uint8_t blocks[CROSSVM_CHANNEL_RINGS_AT] __attribute__((aligned(64))); /* of both ends */
#define RING_MOST 0x1000                                                      /* bytes of the dataport */
#define MOST_LOADS 8                                                          /* of shared words, by a call */
static size_t own_block;                                                      /* where this end's begins */
static bool slept;
static const uint8_t *peer_ring;

uint32_t world_load(const uint32_t *word)
{
    static unsigned int loads;

    assume(loads++ < MOST_LOADS);
    prove(__CPROVER_r_ok(word, 4) && __CPROVER_POINTER_OFFSET(word) % 4 == 0, "a word is loaded from inside");
    return nondet_u32();
}

/* A record's header may be another one each time. */
uint64_t world_load_header(const uint64_t *header)
{
    prove(__CPROVER_same_object(header, peer_ring) && __CPROVER_r_ok(header, 8) &&
              __CPROVER_POINTER_OFFSET(header) % 8 == 0,
          "a header is loaded from inside, in one piece");
    return nondet_u64();
}

void world_store(const uint32_t *word, uint32_t value)
{
    (void)value;
    prove(__CPROVER_same_object(word, blocks) && __CPROVER_POINTER_OFFSET(word) >= own_block &&
              __CPROVER_POINTER_OFFSET(word) - own_block < CROSSVM_CHANNEL_BLOCK_AT(1) &&
              __CPROVER_POINTER_OFFSET(word) % 4 == 0,
          "only words of this end are stored");
}

bool cvm_channel_peer_left(const crossvm_channel_t *channel)
{
    (void)channel;
    return nondet_bool();
}

void cvm_channel_end(crossvm_channel_t *channel)
{
    (void)channel;
}

int cvm_channel_break(crossvm_channel_t *channel, const char *reason)
{
    (void)channel;
    (void)reason;
    return -CHANNEL_EPROTO;
}

void cvm_channel_emit(crossvm_channel_t *channel)
{
    (void)channel;
}

/* An event comes once; then the call ends. */
int cvm_channel_sleep(crossvm_channel_t *channel, crossvm_deadline_t deadline, uint32_t limit_us)
{
    int result = slept ? -1 : nondet_int();

    (void)channel;
    (void)deadline;
    (void)limit_us;
    slept = true;
    return result;
}

/* A spin only looks. */
unsigned int cvm_channel_looks(const crossvm_channel_t *channel, unsigned int failed_spins)
{
    (void)channel;
    (void)failed_spins;
    return 0;
}

static bool world_is_in_ring(const crossvm_channel_t *channel, const uint8_t *ring, const uint8_t *at)
{
    return __CPROVER_same_object(at, ring) && __CPROVER_POINTER_OFFSET(at) <= channel->ring_bytes;
}

static crossvm_deadline_t world_deadline(void)
{
    return nondet_bool() ? CROSSVM_NOW : CROSSVM_FOREVER;
}

static int world_emit(void *cookie)
{
    (void)cookie;
    return 0;
}

static int world_wait(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie;
    (void)deadline;
    (void)limit_us;
    return 0;
}

/*
 * An end of any size and mode. What crossvm_channel_init() sets and nothing changes later is as that sets it, but each
 * ring is an object of its own. All else is anything.
 */
static void world_channel(crossvm_channel_t *channel)
{
    crossvm_channel_t first, any;
    crossvm_channel_config_t config = {
        .memory = blocks,
        .size = RING_MOST,
        .end = nondet_bool() ? CROSSVM_CHANNEL_END(0) : CROSSVM_CHANNEL_END(1),
        .mode = nondet_bool() ? CROSSVM_CHANNEL_STREAM : CROSSVM_CHANNEL_DATAGRAM,
        .flags = nondet_bool() ? CROSSVM_CHANNEL_RELAXED : 0,
        .emit = world_emit,
        .wait = world_wait,
    };

    assume(crossvm_channel_init(&first, &config) == 0);
    own_block = CROSSVM_CHANNEL_BLOCK_AT(config.end - CROSSVM_CHANNEL_END(0));
    *channel = any;
    channel->config = first.config;
    channel->own = first.own;
    channel->peer = first.peer;
    channel->ring_bytes = first.ring_bytes;
    channel->withhold = first.withhold;
    channel->max_record = first.max_record;
    channel->reason = "";

    channel->send.ring = malloc(first.ring_bytes);
    channel->send.fin = first.send.fin;
    channel->send.wake = first.send.wake;
    channel->send.want = first.send.want;
    channel->send.peer_wake = first.send.peer_wake;
    channel->send.peer_consumed = first.send.peer_consumed;
    channel->send.peer_stop = first.send.peer_stop;

    peer_ring = channel->recv.ring = malloc(first.ring_bytes);
    channel->recv.consumed = first.recv.consumed;
    channel->recv.stop = first.recv.stop;
    channel->recv.wake = first.recv.wake;
    channel->recv.peer_produced = first.recv.peer_produced;
    channel->recv.peer_fin = first.recv.peer_fin;
    channel->recv.peer_wake = first.recv.peer_wake;
    channel->recv.peer_want = first.recv.peer_want;
}
