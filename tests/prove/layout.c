/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A new channel: for a dataport of any size and either end, the words and rings of both ends lie inside of the dataport
 * and not over each other, and both ends compute the same places. What a record may take fits a ring.
 *
 * Bounds: dataports of up to 1 TiB.
 */
#include "prove.h"

#include "../../src/channel/channel.c"

int cvm_channel_state(const crossvm_channel_t *channel)
{
    return channel->state;
}

static int no_event(void *cookie)
{
    (void)cookie;
    return 0;
}

static int no_wait(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie;
    (void)deadline;
    (void)limit_us;
    return 0;
}

/* Each call gives the same. */
static size_t offset_of(const void *at)
{
    return __CPROVER_POINTER_OFFSET(at);
}

void prove_init(void)
{
    size_t size = nondet_size();
    uint8_t *memory = malloc(size);
    crossvm_channel_t ends[2];
    size_t words[2], rings[2];

    assume(size <= (size_t)1 << 40);
    for (unsigned int i = 0; i < 2; i++) {
        crossvm_channel_config_t config = {
            .memory = memory, .size = size, .end = CROSSVM_CHANNEL_END(i), .emit = no_event, .wait = no_wait};

        if (crossvm_channel_init(&ends[i], &config))
            return;
        words[i] = offset_of(ends[i].own);
        rings[i] = offset_of(ends[i].send.ring);
    }
    for (unsigned int i = 0; i < 2; i++) {
        const crossvm_channel_t *channel = &ends[i];

        prove(offset_of(channel->peer) == words[1 - i], "the peer's words are where it has them");
        prove(offset_of(channel->recv.ring) == rings[1 - i], "the peer's ring is where it has it");
        prove(words[i] % 64 == 0 && words[i] + CROSSVM_CHANNEL_BLOCK_AT(1) <= CROSSVM_CHANNEL_RINGS_AT,
              "words, then rings");
        prove(rings[i] % 64 == 0 && rings[i] >= CROSSVM_CHANNEL_RINGS_AT && rings[i] + channel->ring_bytes <= size,
              "a ring is inside");
        prove(channel->ring_bytes % 64 == 0 && channel->ring_bytes > 0, "a ring of whole lines");
        prove(channel->withhold % 8 == 0 && channel->withhold > 0, "something may be withheld");
        prove(channel->max_record % 8 == 0 && channel->max_record > CROSSVM_CHANNEL_RECORD_HEADER,
              "a record is possible");
        prove(2 * (uint64_t)channel->max_record - 8 <= channel->ring_bytes - channel->withhold,
              "a record and the skip before it fit beside what is withheld");
        prove(channel->send.at == channel->send.ring && channel->send.end == channel->send.ring &&
                  channel->recv.at == channel->recv.ring && channel->recv.end == channel->recv.ring &&
                  channel->recv.next == channel->recv.ring && !channel->recv.part && !channel->recv.shown &&
                  !channel->send.held,
              "both directions begin at the start of a ring");
        prove((uint32_t)(uintptr_t)channel->send.at + channel->send.bias == 0 &&
                  (uint32_t)(uintptr_t)channel->recv.at + channel->recv.bias == 0 && !channel->recv.produced &&
                  !channel->send.consumed,
              "at index 0");
    }
    prove(words[0] != words[1] &&
              (words[0] > words[1] ? words[0] - words[1] : words[1] - words[0]) >= CROSSVM_CHANNEL_BLOCK_AT(1),
          "words are not over each other");
    prove((rings[0] > rings[1] ? rings[0] - rings[1] : rings[1] - rings[0]) >= ends[0].ring_bytes,
          "rings are not over each other");
    reached();
}
