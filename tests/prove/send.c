/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sending direction. Whatever the peer says that it has taken, and whatever length the caller gives, each call
 * writes into this end's ring alone, where the peer is known to have taken all, and reads no more than the caller has.
 * It leaves a sender about which the same holds as before. It stores into this end's words only.
 *
 * Bounds: a dataport of 4 KiB, the smallest. A call loads shared words at most eight times, and a reservation sleeps at
 * most once. The other calls wait in the same function, but not in their proofs. A call sends one datagram, or a
 * record of many.
 */
#include "channel.h" /* first: what atomic accesses and copies become */

#include "../../src/channel/send.c"

#include "world.h"

void cvm_channel_receiver_begin(crossvm_channel_t *channel)
{
    (void)channel;
}

int cvm_channel_join(crossvm_channel_t *channel)
{
    return cvm_channel_connect(channel, CROSSVM_NOW);
}

int cvm_channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    (void)deadline;
    if (nondet_bool())
        return -CHANNEL_EAGAIN;
    cvm_channel_sender_begin(channel);
    channel->send.produced = channel->own + CROSSVM_CHANNEL_PRODUCED_AT / 4;
    return 0;
}

/* What holds before and after each call. */
static bool sender_holds(const crossvm_channel_t *channel)
{
    const struct crossvm_private_sender *send = &channel->send;
    size_t at = __CPROVER_POINTER_OFFSET(send->at), end = __CPROVER_POINTER_OFFSET(send->end);
    uint32_t used = send_index(send) - send->consumed;

    if (!world_is_in_ring(channel, send->ring, send->at) || !world_is_in_ring(channel, send->ring, send->end))
        return false;
    if (used > channel->ring_bytes || end < at || end - at > send_free(channel))
        return false;
    if (send->longest > crossvm_channel_max_message(channel) || send->error > 0)
        return false;
    if (channel->config.mode == CROSSVM_CHANNEL_STREAM)
        return end == at && send->held == 0;
    /* A record is held when it fits only behind a skip. What it takes is free, and nothing else was begun. */
    if (send->held && (send->held % 8 || send->held > channel->max_record || send->held <= send_tail(channel) ||
                       end > at || send_tail(channel) + send->held > send_free(channel)))
        return false;
    return at % 8 == 0;
}

static void begin(crossvm_channel_t *channel)
{
    struct crossvm_private_sender *send = &channel->send;

    world_channel(channel);
    send->at = send->ring + nondet_size();
    send->end = send->ring + nondet_size();
    send->produced = channel->own + CROSSVM_CHANNEL_PRODUCED_AT / 4;
    send->looked_at = nondet_bool() ? send->peer_wake : &alarm_word;
    assume(sender_holds(channel));
}

/* Of any length, also one that overflows. */
void prove_reserve(void)
{
    static crossvm_channel_t channel;
    size_t length = nondet_size();
    ptrdiff_t given;
    void *data;

    begin(&channel);
    given = crossvm_channel_reserve(&channel, &data, length, world_deadline());
    prove(given <= 0 || ((size_t)given <= length && __CPROVER_w_ok(data, (size_t)given)), "room in the ring");
    prove(sender_holds(&channel), "the sender is as it was");
    reached();
}

/* One datagram. */
void prove_send(void)
{
    static crossvm_channel_t channel;
    size_t length = nondet_size();
    uint8_t *data = malloc(length);
    ptrdiff_t given;

    begin(&channel);
    assume(channel.config.mode == CROSSVM_CHANNEL_DATAGRAM && length <= RING_MOST);
    given = crossvm_channel_send(&channel, data, length, CROSSVM_NOW);
    prove(given < 0 || (size_t)given == length, "all or nothing");
    prove(sender_holds(&channel), "the sender is as it was");
    reached();
}

/* After a reservation or without one, of any length. */
void prove_commit(void)
{
    static crossvm_channel_t channel;

    begin(&channel);
    (void)crossvm_channel_commit(&channel, nondet_size());
    prove(sender_holds(&channel), "the sender is as it was");
    reached();
}

/* How many datagrams go into one record: any number of them, of any length. */
void prove_batch(void)
{
    static crossvm_channel_t channel;
    size_t length = nondet_size(), left = nondet_size(), some;

    begin(&channel);
    assume(channel.config.mode == CROSSVM_CHANNEL_DATAGRAM && length <= UINT16_MAX);
    some = crossvm_private_batch(&channel.send, length, left);
    if (some <= 1)
        return;
    prove(some <= left && some * length <= channel.send.longest && length % CROSSVM_CHANNEL_RECORD_ALIGN == 0,
          "a batch that the peer takes");
    prove(channel.send.at + crossvm_private_record_bytes(some * length) <= channel.send.end, "room in the ring");
    reached();
}
