/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiving direction: giving back what was shown. Whatever the peer writes, and whatever length the caller gives,
 * release() leaves a receiver about which the same holds as before: all that it will load next lies in the peer's ring,
 * and in what the peer is known to have sent. It stores into this end's words only.
 *
 * Bounds: a dataport of 4 KiB, the smallest; a batch of at most four datagrams of up to 1 KiB.
 */
#include "channel.h" /* first: what atomic accesses and copies become */

#include "../../src/channel/recv.c"

#include "world.h"

int cvm_channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    (void)deadline;
    if (nondet_bool())
        cvm_channel_receiver_begin(channel);
    return nondet_int();
}

/* Of one to four. */
static bool is_multiple(size_t bytes, size_t each)
{
    return bytes == each || bytes == each + each || bytes == each + each + each || bytes == each + each + each + each;
}

static bool batch_holds(const struct crossvm_private_receiver *recv)
{
    size_t at = __CPROVER_POINTER_OFFSET(recv->at), part = __CPROVER_POINTER_OFFSET(recv->part);
    size_t end = __CPROVER_POINTER_OFFSET(recv->part_end);

    return recv->end == recv->at && at + CROSSVM_CHANNEL_RECORD_HEADER <= part && part < end &&
           end <= at + recv->shown && recv->each > 0 && recv->each <= MOST_OF_A_BATCH &&
           is_multiple(end - part, recv->each);
}

/* What holds before and after each call. */
static bool receiver_holds(const crossvm_channel_t *channel)
{
    const struct crossvm_private_receiver *recv = &channel->recv;
    size_t at = __CPROVER_POINTER_OFFSET(recv->at), end = __CPROVER_POINTER_OFFSET(recv->end);
    size_t next = __CPROVER_POINTER_OFFSET(recv->next);
    uint32_t there = recv_there(recv), withheld = recv_withheld(recv);

    if (!world_is_in_ring(channel, recv->ring, recv->at) || !world_is_in_ring(channel, recv->ring, recv->end) ||
        !world_is_in_ring(channel, recv->ring, recv->next))
        return false;
    if (recv->part &&
        (!world_is_in_ring(channel, recv->ring, recv->part) || !world_is_in_ring(channel, recv->ring, recv->part_end)))
        return false;
    /* A breach of the protocol may be found behind a skip, of which the peer was not told. Then there is nothing more.
     */
    if (recv->error ? there > 0 || recv->part : there > channel->ring_bytes || withheld > channel->ring_bytes)
        return false;
    if (end < at || end - at > there || next > end || (end > at && end - at + withheld > channel->withhold))
        return false;
    if (recv->shown > there || at + recv->shown > channel->ring_bytes || recv->error > 0)
        return false;
    if (channel->config.mode == CROSSVM_CHANNEL_STREAM)
        return end == at && next <= at && !recv->part;
    if (recv->shown > 0 && (end > at || next > at))
        return false;
    return at % 8 == 0 && next % 8 == 0 && recv->shown % 8 == 0 && recv_index(recv) % 8 == 0 && there % 8 == 0 &&
           (!recv->part || batch_holds(recv));
}

static void begin(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;

    world_channel(channel);
    recv->at = recv->ring + nondet_size();
    recv->end = recv->ring + nondet_size();
    recv->next = recv->ring + nondet_size();
    recv->part = nondet_bool() ? recv->ring + nondet_size() : NULL;
    recv->part_end = recv->ring + nondet_size();
    assume(receiver_holds(channel));
    assume(!recv->part || recv->shown <= 264);
}

void prove_release(void)
{
    static crossvm_channel_t channel;

    begin(&channel);
    (void)crossvm_channel_release(&channel, nondet_size());
    prove(receiver_holds(&channel), "the receiver is as it was");
    reached();
}
