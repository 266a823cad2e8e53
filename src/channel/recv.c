/* SPDX-License-Identifier: BSD-2-Clause */
/* The receiving direction, beyond the inline part: new data, the end of the ring, streams, sleeping and waking. */
#include "internal.h"

/* After data came this many times without a sleep in between, the peer may leave its fences out. */
#define BUSY_ENOUGH 16

/* The most pauses between two looks at an empty ring. A look takes the cache line away from the peer. */
#define MAX_DELAY 64

/* Looks without a pause, at the beginning of a spin: a receiver that waits for an answer wants it at once. */
#define EAGER_LOOKS 32

/* Index of the next byte to read. */
static uint32_t recv_index(const struct crossvm_private_receiver *recv)
{
    return (uint32_t)(uintptr_t)recv->at + recv->bias;
}

/* Bytes up to the end of the ring. */
static uint32_t recv_tail(const crossvm_channel_t *channel)
{
    return (uint32_t)(channel->recv.ring + channel->ring_bytes - channel->recv.at);
}

static uint32_t recv_there(const struct crossvm_private_receiver *recv)
{
    return recv->produced - recv_index(recv);
}

/* Continues at the start of the ring. The bytes up to its end count as taken. */
static void recv_wrap(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    uint32_t index = recv_index(recv) + recv_tail(channel);

    recv->at = recv->end = recv->next = recv->ring;
    recv->bias = index - (uint32_t)(uintptr_t)recv->ring;
}

void cvm_channel_receiver_begin(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;

    recv->at = recv->end = recv->next = recv->ring;
    recv->bias = 0 - (uint32_t)(uintptr_t)recv->ring;
    recv->produced = recv->released = 0;
    recv->shown = 0;
    recv->part = NULL;
    recv->answered = 0;
    recv->busy = 0;
    recv->delay = 0;
    recv->relaxed = false;
    recv->settling = 0;
    crossvm_private_store(recv->consumed, 0);
    crossvm_private_store(recv->wake, recv->epoch | CROSSVM_CHANNEL_WAKE_FENCE);
    crossvm_private_store(recv->stop, 0);
}

static uint32_t recv_withheld(const struct crossvm_private_receiver *recv)
{
    return recv_index(recv) - recv->released;
}

void cvm_channel_receiver_forget(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;

    recv->end = recv->next = recv->at;
    recv->produced = recv_index(recv);
    recv->shown = 0;
    recv->part = NULL;
}

void cvm_channel_give_space(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    uint32_t index = recv_index(recv), wake;

    /* Release: orders this end's loads of the payload before the store of CONSUMED. Pairs with the acquire in
     * look_at_consumed(). */
    crossvm_private_store_release(recv->consumed, index);
    recv->released = index;
    /*
     * Orders the store of CONSUMED before the loads of the sender's wake word and SEND_WANT. Pairs with the fence in
     * cvm_channel_arm_space(). So either the sender sees the space, or this end sees the whole request.
     */
    crossvm_private_fence();
    wake = crossvm_private_load(recv->peer_wake);
    if (!(wake & CROSSVM_CHANNEL_WAKE_EMIT) || wake == recv->answered)
        return;
    if ((int32_t)(index - crossvm_private_load(recv->peer_want)) < 0)
        return;
    recv->answered = wake;
    recv->emits++;
    cvm_channel_emit(channel);
}

/* With an empty ring: learns what the peer has sent, at most what there is space for, and no part of a record. */
static int look_at_produced(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    uint32_t index = recv_index(recv);
    /* Acquire: orders the load of PRODUCED before the loads of the payload. Pairs with the release in
     * crossvm_private_publish(). */
    uint32_t produced = crossvm_private_load_acquire(recv->peer_produced);

    if (produced - index > channel->ring_bytes)
        return cvm_channel_break(channel, "the other end claims to have sent more than there is space for");
    if (channel->config.mode == CROSSVM_CHANNEL_DATAGRAM && produced % CROSSVM_CHANNEL_RECORD_ALIGN != 0)
        return cvm_channel_break(channel, "the other end claims to have sent a part of a datagram");
    recv->produced = produced;
    return 0;
}

/* With an empty ring: returns 0 while something can still come, else what receiving calls return. */
static int end_of_receiving(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    bool fin, left;

    fin = crossvm_private_load_acquire(recv->peer_fin) == channel->peer_generation;
    left = cvm_channel_state(channel) != CROSSVM_CHANNEL_CONNECTED || cvm_channel_peer_left(channel);
    if (!fin && !left)
        return 0;
    /* PRODUCED was final before FIN or ACK said so. A load of it before this point may have missed the last of it. */
    if (look_at_produced(channel) < 0)
        return recv->error = -CHANNEL_EPROTO;
    if (recv_there(recv) > 0)
        return 0;
    if (left)
        cvm_channel_end(channel);
    if (fin)
        recv->at_end = true;
    else
        recv->error = -CHANNEL_EPIPE;
    /* The peer may be waiting until all is taken; and one that comes after it may look at what was. */
    if (recv_withheld(recv) > 0)
        cvm_channel_give_space(channel);
    return -CHANNEL_EPIPE;
}

void cvm_channel_arm_data(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    uint32_t wake;

    if (recv_withheld(recv) > 0)
        cvm_channel_give_space(channel);
    recv->epoch += CROSSVM_CHANNEL_WAKE_STEP;
    wake = recv->epoch | CROSSVM_CHANNEL_WAKE_EMIT | CROSSVM_CHANNEL_WAKE_FENCE;
    if (recv->relaxed) {
        recv->relaxed = false;
        recv->settling = wake;
    }
    crossvm_private_store(recv->wake, wake);
    /* Orders the store of the wake word before the load of PRODUCED that follows. Pairs with the fence in
     * crossvm_private_wake_receiver(). */
    crossvm_private_fence();
}

void cvm_channel_disarm_data(crossvm_channel_t *channel)
{
    crossvm_private_store(channel->recv.wake, channel->recv.epoch | CROSSVM_CHANNEL_WAKE_FENCE);
}

crossvm_channel_sleep_t cvm_channel_next_sleep(const crossvm_channel_t *channel)
{
    const uint32_t settling = channel->recv.settling;

    return (crossvm_channel_sleep_t){.limit_us = settling ? CHANNEL_SETTLE_US : 0, .number = settling};
}

/* The number is that of the wake word that began this time: a later time has another. */
void crossvm_channel_slept(crossvm_channel_t *channel, const crossvm_channel_sleep_t *sleep)
{
    if (sleep->number == channel->recv.settling)
        channel->recv.settling = 0;
}

/* Data keeps coming: the peer may leave its fences out, and this end will look once more before it sleeps long. */
static void note_data(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;

    if (recv->relaxed || !(channel->config.flags & CROSSVM_CHANNEL_RELAXED) || ++recv->busy < BUSY_ENOUGH)
        return;
    recv->relaxed = true;
    crossvm_private_store(recv->wake, recv->epoch);
}

/* Looks for a while whether data comes. A pause counts as a look because it takes longer. True when data came. */
static bool spin_for_data(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    unsigned int eager = EAGER_LOOKS;

    for (unsigned int left = cvm_channel_looks(channel, recv->failed_spins), step; left > 0;
         left -= step < left ? step : left) {
        const unsigned int pauses = eager > 0 || recv->delay > 0 ? recv->delay : 1;

        for (unsigned int i = 0; i < pauses; i++)
            cvm_channel_pause();
        step = pauses > 0 ? pauses : 1;
        eager -= eager > 0;
        if (crossvm_private_load(recv->peer_produced) != recv->produced) {
            recv->spun = true;
            recv->failed_spins = 0;
            return true;
        }
    }
    return false;
}

/*
 * After a spin. When several datagrams have come at once, the looks slow the peer down, and the next ones are farther
 * apart. When one has come, somebody may be waiting for the answer, and there are no pauses.
 */
static void adapt_delay(struct crossvm_private_receiver *recv, uint64_t record)
{
    recv->spun = false;
    if (recv_there(recv) < 2 * record)
        recv->delay = 0;
    else if (recv->delay < MAX_DELAY)
        recv->delay = recv->delay > 0 ? 2 * recv->delay : 1;
}

/* Waits until there may be data. Returns 0 to look again. */
static int wait_for_data(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    crossvm_channel_sleep_t sleep;
    int result = 0;

    if (spin_for_data(channel))
        return 0;
    cvm_channel_arm_data(channel);
    if (crossvm_private_load(recv->peer_produced) == recv->produced) {
        recv->busy = 0;
        recv->failed_spins++;
        recv->waits++;
        sleep = cvm_channel_next_sleep(channel);
        result = cvm_channel_sleep(channel, deadline, sleep.limit_us);
        if (result == -CHANNEL_EAGAIN) {
            crossvm_channel_slept(channel, &sleep);
            result = 0;
        }
    }
    cvm_channel_disarm_data(channel);
    return result;
}

/* A sender that sleeps may need the space that this end still withholds. */
static void give_wanted_space(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;

    if (recv_withheld(recv) > 0 && crossvm_private_load(recv->peer_wake) & CROSSVM_CHANNEL_WAKE_EMIT)
        cvm_channel_give_space(channel);
}

/* Waits until there is data. Returns 0, or what a receiving call returns. End of file is -EPIPE with at_end set. */
static int await_data(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    int result;

    if (cvm_channel_state(channel) == CROSSVM_CHANNEL_OPENING) {
        result = cvm_channel_connect(channel, deadline);
        if (result < 0)
            return result;
    }
    while (recv_there(recv) == 0) {
        if (cvm_channel_state(channel) == CROSSVM_CHANNEL_BROKEN && !recv->error)
            recv->error = -CHANNEL_EPROTO;
        if (recv->error)
            return recv->error;
        if (recv->at_end)
            return -CHANNEL_EPIPE;
        if (look_at_produced(channel) < 0)
            return recv->error = -CHANNEL_EPROTO;
        if (recv_there(recv) > 0)
            break;
        result = end_of_receiving(channel);
        if (result < 0)
            return result;
        if (recv_there(recv) > 0)
            break;
        give_wanted_space(channel);
        if (crossvm_deadline_is_now(deadline))
            return -CHANNEL_EAGAIN;
        result = wait_for_data(channel, deadline);
        if (result < 0)
            return result;
    }
    return 0;
}

bool cvm_channel_has_data(const crossvm_channel_t *channel)
{
    const struct crossvm_private_receiver *recv = &channel->recv;

    return recv_there(recv) > 0 || crossvm_private_load(recv->peer_produced) != recv->produced;
}

bool cvm_channel_can_receive(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    int result = cvm_channel_join(channel);

    if (recv->error || recv->at_end || (result < 0 && result != -CHANNEL_EAGAIN))
        return true;
    if (result < 0)
        return false;
    if (recv_there(recv) == 0 && look_at_produced(channel) < 0)
        return true;
    return recv_there(recv) > 0 || end_of_receiving(channel) < 0 || recv_there(recv) > 0;
}

static int break_record(crossvm_channel_t *channel, const char *reason)
{
    cvm_channel_receiver_forget(channel);
    return channel->recv.error = cvm_channel_break(channel, reason);
}

/* What is there in one piece, up to the point where the peer must be told of the space: the fast path may take it. */
static uint8_t *fast_end(const crossvm_channel_t *channel, uint32_t there)
{
    uint32_t most = channel->withhold - recv_withheld(&channel->recv);

    return channel->recv.at + (there < most ? there : most);
}

/*
 * Lets the fast path take the record at `at` and the records after it. The slow path takes a longer record. It takes a
 * batch, too: the fast path would load the header again, which the peer may have changed since it was checked.
 */
static void open_fast_path(crossvm_channel_t *channel, uint32_t record, uint32_t there, bool is_batch)
{
    struct crossvm_private_receiver *recv = &channel->recv;

    if (recv_withheld(recv) > 0 && recv_withheld(recv) + record > channel->withhold)
        cvm_channel_give_space(channel);
    if (is_batch || record > channel->withhold - recv_withheld(recv)) {
        recv->end = recv->next = recv->at;
        recv->shown = record;
        return;
    }
    recv->end = fast_end(channel, there);
    recv->next = recv->at + record;
    recv->shown = 0;
}

/* Whether a record of that length can be a batch of datagrams of `each` bytes. */
static bool is_batch_possible(const crossvm_channel_t *channel, uint32_t length, uint32_t each)
{
    return channel->features & CROSSVM_CHANNEL_FEATURE_BATCHES && each % CROSSVM_CHANNEL_RECORD_ALIGN == 0 &&
           length > each && length % each == 0;
}

/*
 * Goes to the next datagram, past a skip, and opens the fast path there. Returns its length. The header is loaded once,
 * and only this copy of it is checked and used.
 */
static ptrdiff_t find_record(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    uint32_t length, each, tail, there;
    uint64_t header, record;
    int result;

    if (recv->part)
        return recv->each;
    result = await_data(channel, deadline);
    if (result < 0)
        return result;
    note_data(channel);
    tail = recv_tail(channel);
    if (tail == 0)
        recv_wrap(channel);
    header = crossvm_private_load_header(recv->at);
    tail = recv_tail(channel);
    if ((uint32_t)header == CROSSVM_CHANNEL_RECORD_SKIP && tail < channel->ring_bytes) {
        if (recv_there(recv) <= tail)
            return break_record(channel, "the other end skips the rest of the ring, and nothing follows");
        recv_wrap(channel);
        header = crossvm_private_load_header(recv->at);
        tail = channel->ring_bytes;
    }
    length = (uint32_t)header;
    each = (uint32_t)(header >> 32);
    record = crossvm_private_record_bytes(length);
    there = recv_there(recv);
    there = there < tail ? there : tail;
    if (length > crossvm_channel_max_message(channel) || record > there)
        return break_record(channel, "the other end sent a datagram with an impossible length");
    if (each > 0 && !is_batch_possible(channel, length, each))
        return break_record(channel, "the other end sent a batch that cannot be");
    if (recv->spun)
        adapt_delay(recv, record);
    open_fast_path(channel, (uint32_t)record, there, each > 0);
    if (each == 0)
        return length;
    recv->part = recv->at + CROSSVM_CHANNEL_RECORD_HEADER;
    recv->part_end = recv->part + length;
    recv->each = each;
    return each;
}

/* Address of the datagram that find_record() found. */
static const uint8_t *datagram(const struct crossvm_private_receiver *recv)
{
    return recv->part ? recv->part : recv->at + CROSSVM_CHANNEL_RECORD_HEADER;
}

/* Moves past a record. */
static void take_record(crossvm_channel_t *channel, uint64_t record)
{
    struct crossvm_private_receiver *recv = &channel->recv;

    recv->at += record;
    recv->shown = 0;
    if (recv->end < recv->at)
        recv->end = recv->at;
    if (recv_withheld(recv) >= channel->withhold)
        cvm_channel_give_space(channel);
}

void crossvm_private_end_batch(crossvm_channel_t *channel)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    uint32_t there, tail;

    recv->part = NULL;
    take_record(channel, recv->shown);
    there = recv_there(recv);
    tail = recv_tail(channel);
    recv->end = fast_end(channel, there < tail ? there : tail);
}

/* Moves past the datagram that find_record() found. If it is no part of a batch, its record has so many bytes. */
static void take_datagram(crossvm_channel_t *channel, uint64_t record)
{
    struct crossvm_private_receiver *recv = &channel->recv;

    if (!recv->part) {
        take_record(channel, record);
        return;
    }
    recv->part += recv->each;
    if (recv->part == recv->part_end)
        crossvm_private_end_batch(channel);
}

/* Finds what there is of a stream in one piece. Returns how many bytes, or 0 at end of file. */
static ptrdiff_t find_bytes(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    int result = await_data(channel, deadline);
    uint32_t there, tail;

    if (result < 0)
        return recv->at_end && !recv->error ? 0 : result;
    note_data(channel);
    if (recv_tail(channel) == 0)
        recv_wrap(channel);
    there = recv_there(recv);
    tail = recv_tail(channel);
    return there < tail ? there : tail;
}

static void take_bytes(crossvm_channel_t *channel, size_t count)
{
    struct crossvm_private_receiver *recv = &channel->recv;

    recv->at += count;
    recv->end = recv->next = recv->at;
    recv->shown = 0;
    if (recv_withheld(recv) >= channel->withhold)
        cvm_channel_give_space(channel);
}

static ptrdiff_t recv_bytes(crossvm_channel_t *channel, uint8_t *buffer, size_t capacity, crossvm_deadline_t deadline)
{
    size_t received = 0;

    while (received < capacity) {
        ptrdiff_t there = find_bytes(channel, received > 0 ? CROSSVM_NOW : deadline);
        size_t piece = capacity - received;

        if (there <= 0)
            return received > 0 ? (ptrdiff_t)received : there;
        if (piece > (size_t)there)
            piece = (size_t)there;
        if (piece > CHANNEL_STEP)
            piece = CHANNEL_STEP;
        crossvm_private_copy_any(buffer + received, channel->recv.at, piece);
        take_bytes(channel, piece);
        received += piece;
    }
    return (ptrdiff_t)received;
}

static ptrdiff_t recv_some(crossvm_channel_t *channel, void *buffer, size_t capacity, crossvm_deadline_t deadline)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    ptrdiff_t length;

    if (channel->config.mode == CROSSVM_CHANNEL_STREAM)
        return recv_bytes(channel, buffer, capacity, deadline);
    length = find_record(channel, deadline);
    if (length < 0)
        return length;
    if ((size_t)length > capacity)
        return -CHANNEL_EMSGSIZE;
    crossvm_private_copy_any(buffer, datagram(recv), (size_t)length);
    take_datagram(channel, crossvm_private_record_bytes((uint64_t)length));
    return length;
}

ptrdiff_t crossvm_private_recv_slow(crossvm_channel_t *channel, void *buffer, size_t capacity,
                                    crossvm_deadline_t deadline)
{
    return cvm_channel_result(channel, recv_some(channel, buffer, capacity, deadline));
}

static ptrdiff_t peek(crossvm_channel_t *channel, const void **data, crossvm_deadline_t deadline)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    ptrdiff_t length;

    if (channel->config.mode == CROSSVM_CHANNEL_STREAM) {
        length = find_bytes(channel, deadline);
        recv->shown = length > 0 ? (size_t)length : 0;
        *data = recv->at;
        return length;
    }
    length = find_record(channel, deadline);
    if (length < 0)
        return length;
    *data = datagram(recv);
    return length;
}

ptrdiff_t crossvm_private_peek_slow(crossvm_channel_t *channel, const void **data, crossvm_deadline_t deadline)
{
    return cvm_channel_result(channel, peek(channel, data, deadline));
}

static int release(crossvm_channel_t *channel, size_t length)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    size_t left;

    if (recv->shown > recv_there(recv)) /* the session has ended, and with it what was shown */
        recv->shown = 0;
    if (channel->config.mode == CROSSVM_CHANNEL_DATAGRAM) {
        if (recv->shown == 0)
            return -CHANNEL_EINVAL;
        take_datagram(channel, recv->shown);
        return 0;
    }
    if (length > recv->shown)
        return -CHANNEL_EINVAL;
    left = recv->shown - length;
    take_bytes(channel, length);
    recv->shown = left;
    return 0;
}

int crossvm_private_release_slow(crossvm_channel_t *channel, size_t length)
{
    return (int)cvm_channel_result(channel, release(channel, length));
}
