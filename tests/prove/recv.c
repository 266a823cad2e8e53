/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receiving direction. Whatever the peer writes, and however a header changes between two loads of it, each call
 * shows and copies what lies in the peer's ring, and no more than the caller has room for. It leaves a receiver about
 * which the same holds as before: all that it will load next lies in the ring, and in what the peer is known to have
 * sent. It stores into this end's words only.
 *
 * Bounds: a dataport of 4 KiB, the smallest. A call loads shared words at most eight times, and a peek sleeps at most
 * once. Lengths that the compiler knows are 64 bytes here. recv() and recv_many() are proved in the parts that they are
 * made of: as a whole, they take CBMC too long.
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

/* Narrow numbers, since a proof about a division has to go through all digits. */
static bool is_multiple(size_t bytes, size_t each)
{
    return bytes <= UINT16_MAX && each <= UINT16_MAX && each > 0 && (uint16_t)bytes % (uint16_t)each == 0;
}

static bool batch_holds(const struct crossvm_private_receiver *recv)
{
    size_t at = __CPROVER_POINTER_OFFSET(recv->at), part = __CPROVER_POINTER_OFFSET(recv->part);
    size_t end = __CPROVER_POINTER_OFFSET(recv->part_end);

    return recv->end == recv->at && at + CROSSVM_CHANNEL_RECORD_HEADER <= part && part < end &&
           end <= at + recv->shown && is_multiple(end - part, recv->each);
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
}

void prove_release(void)
{
    static crossvm_channel_t channel;

    begin(&channel);
    (void)crossvm_channel_release(&channel, nondet_size());
    prove(receiver_holds(&channel), "the receiver is as it was");
    reached();
}

void prove_peek(void)
{
    static crossvm_channel_t channel;
    const void *data = NULL;
    ptrdiff_t given;

    begin(&channel);
    given = crossvm_channel_peek(&channel, &data, world_deadline());
    prove(given <= 0 || (__CPROVER_same_object(data, channel.recv.ring) && __CPROVER_r_ok(data, (size_t)given)),
          "what is shown lies in the ring");
    prove(receiver_holds(&channel), "the receiver is as it was");
    reached();
}

/* What the fast path of recv() and peek() takes. */
void prove_next_record(void)
{
    static crossvm_channel_t channel;
    const uint8_t *data;
    uint32_t length;
    uint64_t record;

    begin(&channel);
    assume(channel.config.mode == CROSSVM_CHANNEL_DATAGRAM);
    if (!crossvm_private_next_record(&channel.recv, &length, &record))
        return;
    data = channel.recv.at + CROSSVM_CHANNEL_RECORD_HEADER;
    prove(length == 0 || __CPROVER_r_ok(data, length), "a datagram in the ring");
    prove(record % 8 == 0 && record >= CROSSVM_CHANNEL_RECORD_HEADER + (uint64_t)length &&
              record <= (size_t)(channel.recv.end - channel.recv.at),
          "a record of what is there");
    reached();
}

/* The way of lengths that the compiler knows, here 64 bytes: up to three records, each a datagram or a batch. */
void prove_take_alike(void)
{
    static crossvm_channel_t channel;
    size_t count = nondet_size();
    uint8_t *buffer;

    assume(count <= 3);
    buffer = malloc(64 * count);
    begin(&channel);
    assume(channel.config.mode == CROSSVM_CHANNEL_DATAGRAM && !channel.recv.part);
    prove(crossvm_private_take_alike(&channel.recv, buffer, 64, count) <= count, "no more than there is room for");
    prove(receiver_holds(&channel), "the receiver is as it was");
    reached();
}

/* As many datagrams out of a batch as are wanted, here of 64 bytes. */
void prove_take_batch(void)
{
    static crossvm_channel_t channel;
    size_t count = nondet_size();
    uint8_t *buffer;

    assume(count <= RING_MOST / 64);
    buffer = malloc(64 * count);
    begin(&channel);
    assume(channel.config.mode == CROSSVM_CHANNEL_DATAGRAM && channel.recv.part && channel.recv.each == 64);
    prove(crossvm_private_take_batch(&channel, buffer, 64, count) <= count, "no more than there is room for");
    prove(receiver_holds(&channel), "the receiver is as it was");
    reached();
}
