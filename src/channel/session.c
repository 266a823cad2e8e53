/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions: how two ends begin, notice that the other has left, and begin anew (docs/channel.md, section 7).
 *
 * An end is in a session when each end acknowledges the other's generation. It resets its own indices only when the
 * peer cannot be in an older session with it: while the peer's acknowledgement is 0 or this end's present generation.
 */
#include "internal.h"

#define WORD(at) ((at) / 4)

/* Atomic, because sender and receiver may be two threads, and both may find that the session is over. */
static void set_state(crossvm_channel_t *channel, int state)
{
    __atomic_store_n(&channel->state, state, __ATOMIC_RELAXED);
}

static uint32_t peer_word(const crossvm_channel_t *channel, unsigned int at)
{
    return crossvm_private_load(channel->peer + WORD(at));
}

/* Acquire: orders the load of GENERATION before the next load of ACK. Pairs with the release in announce(): a new
 * generation is never seen with the acknowledgement of the one before. */
static uint32_t peer_generation(const crossvm_channel_t *channel)
{
    return crossvm_private_load_acquire(channel->peer + WORD(CROSSVM_CHANNEL_GENERATION_AT));
}

/* Acquire: orders the load of ACK before those of all that the peer stored before it, its parameters, indices and
 * GENERATION. Pairs with the releases in acknowledge() and crossvm_channel_open(). */
static uint32_t peer_ack(const crossvm_channel_t *channel)
{
    return crossvm_private_load_acquire(channel->peer + WORD(CROSSVM_CHANNEL_ACK_AT));
}

static void put(crossvm_channel_t *channel, unsigned int at, uint32_t value)
{
    crossvm_private_store(channel->own + WORD(at), value);
}

static void put_release(crossvm_channel_t *channel, unsigned int at, uint32_t value)
{
    crossvm_private_store_release(channel->own + WORD(at), value);
}

/* The callback orders this end's stores before the event. So session words, for which the peer may be waiting without a
 * request, need no fence of their own: who is woken sees them. */
void cvm_channel_emit(crossvm_channel_t *channel)
{
    if (channel->config.emit(channel->config.cookie) < 0)
        crossvm_channel_set_peer(channel, false);
}

int cvm_channel_sleep(crossvm_channel_t *channel, crossvm_deadline_t deadline, uint32_t limit_us)
{
    return channel->config.wait(channel->config.cookie, deadline, limit_us);
}

/* What an end says of itself. Release: orders all of that before GENERATION, which makes it count. Pairs with the
 * acquire in peer_generation(). */
static void announce(crossvm_channel_t *channel)
{
    put(channel, CROSSVM_CHANNEL_MAGIC_AT, CROSSVM_CHANNEL_MAGIC);
    put(channel, CROSSVM_CHANNEL_VERSION_AT, CROSSVM_CHANNEL_VERSION);
    put(channel, CROSSVM_CHANNEL_FEATURES_AT, CROSSVM_CHANNEL_FEATURES);
    put(channel, CROSSVM_CHANNEL_MODE_AT, channel->config.mode);
    put(channel, CROSSVM_CHANNEL_RING_BYTES_AT, channel->ring_bytes);
    put_release(channel, CROSSVM_CHANNEL_GENERATION_AT, channel->generation);
}

static uint32_t own_word(const crossvm_channel_t *channel, unsigned int at)
{
    return crossvm_private_load(channel->own + WORD(at));
}

/* Whether somebody has written over what this end said. Then whoever comes next would find nobody. */
static bool is_spoiled(const crossvm_channel_t *channel)
{
    return own_word(channel, CROSSVM_CHANNEL_GENERATION_AT) != channel->generation ||
           own_word(channel, CROSSVM_CHANNEL_ACK_AT) != channel->peer_generation ||
           own_word(channel, CROSSVM_CHANNEL_MAGIC_AT) != CROSSVM_CHANNEL_MAGIC ||
           own_word(channel, CROSSVM_CHANNEL_VERSION_AT) != CROSSVM_CHANNEL_VERSION ||
           own_word(channel, CROSSVM_CHANNEL_FEATURES_AT) != CROSSVM_CHANNEL_FEATURES ||
           own_word(channel, CROSSVM_CHANNEL_MODE_AT) != channel->config.mode ||
           own_word(channel, CROSSVM_CHANNEL_RING_BYTES_AT) != channel->ring_bytes;
}

void crossvm_channel_open(crossvm_channel_t *channel)
{
    uint32_t generation = crossvm_private_load(channel->own + WORD(CROSSVM_CHANNEL_GENERATION_AT));

    do /* the peer may have written there */
        generation++;
    while (generation == 0 || generation == channel->generation);
    channel->generation = generation;
    channel->peer_generation = 0;
    channel->peer_lost = false;
    channel->reason = "";
    channel->send.shut = false;
    channel->send.error = 0;
    cvm_channel_close_fast_path(channel);
    channel->send.produced = NULL;
    channel->recv.error = 0;
    channel->recv.at_end = false;
    cvm_channel_receiver_forget(channel);
    set_state(channel, CROSSVM_CHANNEL_OPENING);

    /* ACK = 0 leaves the old session before the peer can see the new generation. Release: orders the last PRODUCED of
     * that session before it. Pairs with the acquire in peer_ack(). */
    put_release(channel, CROSSVM_CHANNEL_ACK_AT, 0);
    announce(channel);
    cvm_channel_emit(channel);
}

/* Starts at index 0, and then says so. Release: orders the indices before ACK. Pairs with the acquire in peer_ack(). */
static void acknowledge(crossvm_channel_t *channel, uint32_t generation)
{
    cvm_channel_sender_begin(channel);
    cvm_channel_receiver_begin(channel);
    channel->peer_generation = generation;
    put_release(channel, CROSSVM_CHANNEL_ACK_AT, generation);
}

static const char *misfit(crossvm_channel_t *channel)
{
    if (peer_word(channel, CROSSVM_CHANNEL_MAGIC_AT) != CROSSVM_CHANNEL_MAGIC)
        return "the other end is no channel: the magic number is missing";
    if (peer_word(channel, CROSSVM_CHANNEL_VERSION_AT) >> 16 != CROSSVM_CHANNEL_VERSION_MAJOR)
        return "the other end speaks another version of the protocol; use the same library at both ends";
    if (peer_word(channel, CROSSVM_CHANNEL_MODE_AT) != channel->config.mode)
        return "one end is a stream, the other is for datagrams; choose the same mode at both ends";
    if (peer_word(channel, CROSSVM_CHANNEL_RING_BYTES_AT) != channel->ring_bytes)
        return "the ends map dataports of different sizes; give both the same dataport";
    return NULL;
}

/* Both ends acknowledge each other. Returns 0, or -EPROTO when their parameters do not fit. */
static int enter(crossvm_channel_t *channel)
{
    const char *reason = misfit(channel);

    if (reason)
        return cvm_channel_break(channel, reason);
    channel->features = peer_word(channel, CROSSVM_CHANNEL_FEATURES_AT) & CROSSVM_CHANNEL_FEATURES;
    channel->send.batches = channel->features & CROSSVM_CHANNEL_FEATURE_BATCHES;
    channel->sessions++;
    channel->send.produced = channel->own + WORD(CROSSVM_CHANNEL_PRODUCED_AT);
    set_state(channel, CROSSVM_CHANNEL_CONNECTED);
    if (!__atomic_load_n(&channel->peer_here, __ATOMIC_RELAXED))
        channel->peer_lost = true; /* it came, sent and left; its data can be received */
    return 0;
}

int cvm_channel_join(crossvm_channel_t *channel)
{
    uint32_t generation, ack;
    bool changed = false;

    switch (cvm_channel_state(channel)) {
    case CROSSVM_CHANNEL_OPENING:
        break;
    case CROSSVM_CHANNEL_CLOSED:
        return -CHANNEL_ENOTCONN;
    case CROSSVM_CHANNEL_BROKEN:
        return -CHANNEL_EPROTO;
    default:
        return 0;
    }
    if (is_spoiled(channel)) {
        put(channel, CROSSVM_CHANNEL_ACK_AT, 0);
        channel->peer_generation = 0;
        announce(channel);
        changed = true;
    }
    generation = peer_generation(channel);
    ack = peer_ack(channel);
    if (channel->peer_generation != 0 && channel->peer_generation != generation) {
        /* The peer began anew before both ends acknowledged each other. */
        put(channel, CROSSVM_CHANNEL_ACK_AT, 0);
        channel->peer_generation = 0;
        changed = true;
    }
    if (channel->peer_generation == 0 && generation != 0 && (ack == 0 || ack == channel->generation)) {
        acknowledge(channel, generation);
        changed = true;
    }
    if (changed) {
        cvm_channel_emit(channel);
        generation = peer_generation(channel);
        ack = peer_ack(channel);
    }
    if (channel->peer_generation == 0 || channel->peer_generation != generation || ack != channel->generation)
        return -CHANNEL_EAGAIN;
    return enter(channel);
}

int cvm_channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    for (;;) {
        int result = cvm_channel_join(channel);

        if (result == 0 && cvm_channel_state(channel) == CROSSVM_CHANNEL_ENDED)
            return -CHANNEL_EPIPE;
        if (result != -CHANNEL_EAGAIN || crossvm_deadline_is_now(deadline))
            return result;
        channel->waits++;
        result = cvm_channel_sleep(channel, deadline, 0);
        if (result < 0 && result != -CHANNEL_EAGAIN)
            return result;
    }
}

int crossvm_channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    return (int)cvm_channel_result(channel, cvm_channel_connect(channel, deadline));
}

bool cvm_channel_peer_left(const crossvm_channel_t *channel)
{
    return __atomic_load_n(&channel->peer_lost, __ATOMIC_RELAXED) ||
           peer_generation(channel) != channel->peer_generation || peer_ack(channel) != channel->generation;
}

void cvm_channel_end(crossvm_channel_t *channel)
{
    if (cvm_channel_state(channel) == CROSSVM_CHANNEL_CONNECTED)
        set_state(channel, CROSSVM_CHANNEL_ENDED);
    cvm_channel_alarm_sender(channel);
}

int cvm_channel_break(crossvm_channel_t *channel, const char *reason)
{
    __atomic_store_n(&channel->reason, reason, __ATOMIC_RELAXED); /* atomic: two threads may find a breach */
    set_state(channel, CROSSVM_CHANNEL_BROKEN);
    cvm_channel_alarm_sender(channel);
    /* A peer that made a mistake should learn that nobody listens any more. */
    crossvm_private_store(channel->recv.stop, channel->generation);
    crossvm_private_store_release(channel->send.fin, channel->generation);
    cvm_channel_emit(channel);
    return -CHANNEL_EPROTO;
}

void crossvm_channel_set_peer(crossvm_channel_t *channel, bool here)
{
    __atomic_store_n(&channel->peer_here, here, __ATOMIC_RELAXED);
    if (!here && cvm_channel_state(channel) == CROSSVM_CHANNEL_CONNECTED) {
        __atomic_store_n(&channel->peer_lost, true, __ATOMIC_RELAXED);
        cvm_channel_alarm_sender(channel);
    }
}

void crossvm_channel_shutdown(crossvm_channel_t *channel)
{
    if (channel->send.shut || cvm_channel_state(channel) == CROSSVM_CHANNEL_CLOSED)
        return;
    crossvm_channel_flush(channel);
    channel->send.shut = true;
    if (!channel->send.error)
        channel->send.error = -CHANNEL_EPIPE;
    cvm_channel_close_fast_path(channel);
    /* Release: orders the last PRODUCED before FIN. Pairs with the acquire in end_of_receiving(). */
    crossvm_private_store_release(channel->send.fin, channel->generation);
    cvm_channel_emit(channel);
}

void crossvm_channel_close(crossvm_channel_t *channel)
{
    if (cvm_channel_state(channel) == CROSSVM_CHANNEL_CLOSED)
        return;
    crossvm_channel_disarm(channel);
    if (cvm_channel_state(channel) == CROSSVM_CHANNEL_CONNECTED)
        cvm_channel_give_space(channel);
    crossvm_channel_shutdown(channel);
    /* The fence in cvm_channel_give_space() orders CONSUMED before STOP, and the data, too. */
    crossvm_private_store(channel->recv.stop, channel->generation);
    cvm_channel_emit(channel);
    set_state(channel, CROSSVM_CHANNEL_CLOSED);
    channel->send.produced = NULL;
    channel->send.error = channel->recv.error = -CHANNEL_ENOTCONN;
    cvm_channel_receiver_forget(channel);
}
