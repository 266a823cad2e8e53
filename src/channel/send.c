/* SPDX-License-Identifier: BSD-2-Clause */
/* The sending direction, beyond the inline part: space, the end of the ring, streams, sleeping and waking. */
#include "internal.h"

/* Index of the next byte to write. */
static uint32_t send_index(const struct crossvm_private_sender *send)
{
    return (uint32_t)(uintptr_t)send->at + send->bias;
}

/* Bytes up to the end of the ring. */
static uint32_t send_tail(const crossvm_channel_t *channel)
{
    return (uint32_t)(channel->send.ring + channel->ring_bytes - channel->send.at);
}

static uint32_t send_free(const crossvm_channel_t *channel)
{
    return channel->ring_bytes - (send_index(&channel->send) - channel->send.consumed);
}

/*
 * Says which index position 0 has, or will have. Only observers look at it: from there on they can tell records from
 * each other. So it comes before anything is written there. Release: orders the store of LAP before the stores of
 * records and payload behind it. Pairs with the acquire fence of an observer between its loads of records and its
 * second load of LAP.
 */
static void begin_lap(crossvm_channel_t *channel, uint32_t index)
{
    crossvm_private_store(channel->own + CROSSVM_CHANNEL_LAP_AT / 4, index);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* Continues at the start of the ring. The bytes up to its end count as used. */
static void send_wrap(crossvm_channel_t *channel)
{
    struct crossvm_private_sender *send = &channel->send;
    uint32_t index = send_index(send) + send_tail(channel);

    begin_lap(channel, index);
    send->at = send->end = send->ring;
    send->bias = index - (uint32_t)(uintptr_t)send->ring;
}

/* Moves past bytes of a stream. */
static void send_advance(struct crossvm_private_sender *send, size_t bytes)
{
    send->at += bytes;
    send->end = send->at;
}

void cvm_channel_sender_begin(crossvm_channel_t *channel)
{
    struct crossvm_private_sender *send = &channel->send;

    send->at = send->end = send->ring;
    send->looked_at = send->peer_wake;
    send->longest = crossvm_channel_max_message(channel);
    send->bias = 0 - (uint32_t)(uintptr_t)send->ring;
    send->consumed = 0;
    send->answered = 0;
    send->held = 0;
    send->refused = 0;
    crossvm_private_store(channel->own + CROSSVM_CHANNEL_PRODUCED_AT / 4, 0);
    crossvm_private_store(channel->own + CROSSVM_CHANNEL_LAP_AT / 4, 0);
    crossvm_private_store(send->wake, send->epoch);
    crossvm_private_store(send->fin, send->shut ? channel->generation : 0);
}

void cvm_channel_close_fast_path(crossvm_channel_t *channel)
{
    channel->send.end = channel->send.at;
}

/* A wake word with all requests set. */
static const crossvm_private_word_t alarm_word = CROSSVM_CHANNEL_WAKE_FLAGS;

void cvm_channel_alarm_sender(crossvm_channel_t *channel)
{
    __atomic_store_n(&channel->send.looked_at, &alarm_word, __ATOMIC_RELAXED);
}

void crossvm_private_wake_receiver(crossvm_channel_t *channel)
{
    struct crossvm_private_sender *send = &channel->send;
    uint32_t wake = crossvm_private_load(send->peer_wake);

    if (__atomic_load_n(&send->looked_at, __ATOMIC_RELAXED) == &alarm_word)
        cvm_channel_close_fast_path(channel);

    if (wake & CROSSVM_CHANNEL_WAKE_FENCE) {
        /*
         * Orders the store of PRODUCED before the load of the receiver's wake word. Pairs with the fence in
         * cvm_channel_arm_data(), between the store of that wake word and the load of PRODUCED. So either the receiver
         * sees the data, or this end sees the request.
         */
        crossvm_private_fence();
        wake = crossvm_private_load(send->peer_wake);
    }
    if (!(wake & CROSSVM_CHANNEL_WAKE_EMIT) || wake == send->answered)
        return;
    send->answered = wake;
    send->emits++;
    cvm_channel_emit(channel);
}

/* Learns what the peer has taken. That is at most what was sent, and at least what is known already. */
static int look_at_consumed(crossvm_channel_t *channel)
{
    struct crossvm_private_sender *send = &channel->send;
    /* Acquire: orders the load of CONSUMED before this end's stores into the space that it frees. Pairs with the
     * release in cvm_channel_give_space(). */
    uint32_t consumed = crossvm_private_load_acquire(send->peer_consumed);

    if (consumed - send->consumed > send_index(send) - send->consumed)
        return cvm_channel_break(channel, "the other end claims to have received what was not sent");
    send->consumed = consumed;
    return 0;
}

/* Moves `at` to where a record that fits can be written, and opens the fast path there. */
static void begin_record(crossvm_channel_t *channel, uint32_t record)
{
    struct crossvm_private_sender *send = &channel->send;
    uint32_t tail = send_tail(channel), space;

    if (record > tail) {
        if (tail > 0)
            *(crossvm_private_word_t *)(void *)send->at = CROSSVM_CHANNEL_RECORD_SKIP;
        send_wrap(channel);
        tail = channel->ring_bytes;
    }
    space = send_free(channel);
    send->end = send->at + (space < tail ? space : tail);
}

/* Free bytes that a call needs. Datagrams: with those that it would skip. Streams: a single one. */
static uint32_t needed(const crossvm_channel_t *channel, uint32_t record)
{
    if (channel->config.mode == CROSSVM_CHANNEL_STREAM)
        return 1;
    return record <= send_tail(channel) ? record : send_tail(channel) + record;
}

void cvm_channel_arm_space(crossvm_channel_t *channel, uint32_t want)
{
    struct crossvm_private_sender *send = &channel->send;

    send->epoch += CROSSVM_CHANNEL_WAKE_STEP;
    crossvm_private_store(send->want, want);
    crossvm_private_store(send->wake, send->epoch | CROSSVM_CHANNEL_WAKE_EMIT);
    /* Orders the stores of the wake word and SEND_WANT before the load of CONSUMED that follows. Pairs with the fence
     * in cvm_channel_give_space(). */
    crossvm_private_fence();
}

void cvm_channel_disarm_space(crossvm_channel_t *channel)
{
    crossvm_private_store(channel->send.wake, channel->send.epoch);
}

/* Half of the ring, or more where more is needed: an event for each piece of space would cost more than it gives. */
uint32_t cvm_channel_space_wanted(const crossvm_channel_t *channel, uint32_t bytes)
{
    uint32_t space = channel->ring_bytes / 2;

    return send_index(&channel->send) + (space > bytes ? space : bytes) - channel->ring_bytes;
}

/* Whether nothing more can be sent: the peer has left, or takes nothing any more. */
static bool is_over(crossvm_channel_t *channel)
{
    if (cvm_channel_state(channel) != CROSSVM_CHANNEL_CONNECTED || cvm_channel_peer_left(channel)) {
        cvm_channel_end(channel);
        return true;
    }
    return crossvm_private_load_acquire(channel->send.peer_stop) == channel->peer_generation;
}

static int end_of_sending(crossvm_channel_t *channel)
{
    struct crossvm_private_sender *send = &channel->send;

    cvm_channel_close_fast_path(channel);
    send->error = cvm_channel_state(channel) == CROSSVM_CHANNEL_BROKEN ? -CHANNEL_EPROTO : -CHANNEL_EPIPE;
    return send->error;
}

/* Looks for a while whether the peer takes something. True when it did. */
static bool spin_for_space(crossvm_channel_t *channel)
{
    struct crossvm_private_sender *send = &channel->send;

    for (unsigned int left = cvm_channel_looks(channel, send->failed_spins); left > 0; left--) {
        if (crossvm_private_load(send->peer_consumed) != send->consumed) {
            send->failed_spins = 0;
            return true;
        }
        cvm_channel_pause();
    }
    return false;
}

/*
 * Waits after a look that found too little space. Returns 0 to look again: at the latest when the peer's CONSUMED has
 * reached `want`, perhaps earlier.
 */
static int wait_for_space(crossvm_channel_t *channel, uint32_t want, crossvm_deadline_t deadline)
{
    struct crossvm_private_sender *send = &channel->send;
    int result = 0;

    if (spin_for_space(channel))
        return 0;
    cvm_channel_arm_space(channel, want);
    if (crossvm_private_load(send->peer_consumed) == send->consumed) {
        send->failed_spins++;
        send->waits++;
        result = cvm_channel_sleep(channel, deadline, 0);
    }
    cvm_channel_disarm_space(channel);
    return result == -CHANNEL_EAGAIN ? 0 : result;
}

/* Waits until a record (datagrams) or a byte (streams, record 0) can be written. */
static int make_room(crossvm_channel_t *channel, uint32_t record, crossvm_deadline_t deadline)
{
    struct crossvm_private_sender *send = &channel->send;
    int result;

    send->held = 0;
    if (send->error)
        return send->error;
    if (cvm_channel_state(channel) == CROSSVM_CHANNEL_OPENING) {
        result = cvm_channel_connect(channel, deadline);
        if (result < 0)
            return result;
    }
    for (;;) {
        uint32_t bytes = needed(channel, record);

        if (is_over(channel))
            return end_of_sending(channel);
        if (send_free(channel) >= bytes)
            break;
        result = look_at_consumed(channel);
        if (result < 0)
            return end_of_sending(channel);
        if (send_free(channel) >= bytes)
            break;
        send->refused = bytes;
        crossvm_private_publish(channel, send->at); /* the peer makes room only for what it knows of */
        if (crossvm_deadline_is_now(deadline))
            return -CHANNEL_EAGAIN;
        result = wait_for_space(channel, cvm_channel_space_wanted(channel, bytes), deadline);
        if (result < 0)
            return result;
    }
    send->refused = 0;
    return 0;
}

/* Whether the space that is known is enough for what was refused, or for a short datagram. */
static bool has_room(const crossvm_channel_t *channel)
{
    const uint32_t refused = channel->send.refused;

    return send_free(channel) >= (refused ? refused : needed(channel, CROSSVM_CHANNEL_RECORD_HEADER + 8));
}

bool cvm_channel_has_space(const crossvm_channel_t *channel)
{
    return has_room(channel) || crossvm_private_load(channel->send.peer_consumed) != channel->send.consumed;
}

bool cvm_channel_can_send(crossvm_channel_t *channel)
{
    struct crossvm_private_sender *send = &channel->send;
    int result = cvm_channel_join(channel);

    if (send->error || (result < 0 && result != -CHANNEL_EAGAIN))
        return true;
    if (result < 0)
        return false;
    if (look_at_consumed(channel) < 0)
        return true;
    return has_room(channel) || is_over(channel);
}

/* Waits until a datagram of that length can be written at `at`. */
static int make_room_for_record(crossvm_channel_t *channel, size_t length, crossvm_deadline_t deadline)
{
    uint32_t record;
    int result;

    if (length > crossvm_channel_max_message(channel))
        return -CHANNEL_EMSGSIZE;
    record = (uint32_t)crossvm_private_record_bytes(length);
    result = make_room(channel, record, deadline);
    if (result == 0)
        begin_record(channel, record);
    return result;
}

/* Waits until at least one byte of a stream can be written at `at`. Returns how many can, in one piece. */
static ptrdiff_t make_room_for_bytes(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    int result = make_room(channel, 0, deadline);
    uint32_t space, tail;

    if (result < 0)
        return result;
    if (send_tail(channel) == 0)
        send_wrap(channel);
    space = send_free(channel);
    tail = send_tail(channel);
    return space < tail ? space : tail;
}

static ptrdiff_t send_bytes(crossvm_channel_t *channel, const uint8_t *data, size_t length, crossvm_deadline_t deadline)
{
    size_t sent = 0;

    while (sent < length) {
        ptrdiff_t room = make_room_for_bytes(channel, deadline);
        size_t piece = length - sent;

        if (room < 0)
            return sent > 0 ? (ptrdiff_t)sent : room;
        if (piece > (size_t)room)
            piece = (size_t)room;
        if (piece > CHANNEL_STEP)
            piece = CHANNEL_STEP;
        crossvm_private_copy_any(channel->send.at, data + sent, piece);
        send_advance(&channel->send, piece);
        crossvm_private_publish(channel, channel->send.at);
        sent += piece;
    }
    return (ptrdiff_t)sent;
}

static ptrdiff_t send_some(crossvm_channel_t *channel, const void *data, size_t length, crossvm_deadline_t deadline)
{
    int result;

    if (channel->config.mode == CROSSVM_CHANNEL_STREAM)
        return send_bytes(channel, data, length, deadline);
    result = make_room_for_record(channel, length, deadline);
    if (result < 0)
        return result;
    crossvm_private_copy_any(channel->send.at + CROSSVM_CHANNEL_RECORD_HEADER, data, length);
    channel->send.at = crossvm_private_seal(channel->send.at, length, 0);
    crossvm_private_publish(channel, channel->send.at);
    return (ptrdiff_t)length;
}

ptrdiff_t crossvm_private_send_slow(crossvm_channel_t *channel, const void *data, size_t length,
                                    crossvm_deadline_t deadline)
{
    return cvm_channel_result(channel, send_some(channel, data, length, deadline));
}

static ptrdiff_t reserve(crossvm_channel_t *channel, void **data, size_t length, crossvm_deadline_t deadline)
{
    ptrdiff_t result;
    uint32_t record;

    if (channel->config.mode == CROSSVM_CHANNEL_STREAM) {
        result = make_room_for_bytes(channel, deadline);
        if (result < 0)
            return result;
        *data = channel->send.at;
        return (size_t)result < length ? result : (ptrdiff_t)length;
    }
    if (length > crossvm_channel_max_message(channel))
        return -CHANNEL_EMSGSIZE;
    record = (uint32_t)crossvm_private_record_bytes(length);
    result = make_room(channel, record, deadline);
    if (result < 0)
        return result;
    if (record > send_tail(channel)) {
        /* One PRODUCED must cover a skip and its record, and the record may never be committed. So commit() writes
         * both. */
        cvm_channel_close_fast_path(channel);
        channel->send.held = record;
        begin_lap(channel, send_index(&channel->send) + send_tail(channel)); /* the caller writes there now */
        *data = channel->send.ring + CROSSVM_CHANNEL_RECORD_HEADER;
        return (ptrdiff_t)length;
    }
    begin_record(channel, record);
    *data = channel->send.at + CROSSVM_CHANNEL_RECORD_HEADER;
    return (ptrdiff_t)length;
}

ptrdiff_t crossvm_private_reserve_slow(crossvm_channel_t *channel, void **data, size_t length,
                                       crossvm_deadline_t deadline)
{
    return cvm_channel_result(channel, reserve(channel, data, length, deadline));
}

/* A datagram at the start of the ring, after a skip. */
static int commit_held(crossvm_channel_t *channel, size_t length)
{
    struct crossvm_private_sender *send = &channel->send;

    if (length > crossvm_channel_max_message(channel) || crossvm_private_record_bytes(length) > send->held)
        return -CHANNEL_EINVAL;
    begin_record(channel, send->held);
    send->held = 0;
    send->at = crossvm_private_seal(send->at, length, 0);
    return 0;
}

/* A stream, a datagram after a skip, or a call without a reservation. */
static int commit(crossvm_channel_t *channel, size_t length)
{
    struct crossvm_private_sender *send = &channel->send;

    if (send->error)
        return send->error;
    if (!send->produced)
        return -CHANNEL_EINVAL;
    if (channel->config.mode == CROSSVM_CHANNEL_DATAGRAM)
        return commit_held(channel, length);
    if (length > send_tail(channel) || length > send_free(channel))
        return -CHANNEL_EINVAL;
    send_advance(send, length);
    return 0;
}

int crossvm_private_commit_slow(crossvm_channel_t *channel, size_t length)
{
    return (int)cvm_channel_result(channel, commit(channel, length));
}

static int drain(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    struct crossvm_private_sender *send = &channel->send;

    crossvm_channel_flush(channel);
    if (!send->produced)
        return send->error;
    for (;;) {
        int result = look_at_consumed(channel);

        if (result < 0)
            return end_of_sending(channel);
        if (send->consumed == send_index(send))
            return 0;
        if (is_over(channel)) /* it may have taken the rest before it left */
            return look_at_consumed(channel) == 0 && send->consumed == send_index(send) ? 0 : end_of_sending(channel);
        if (crossvm_deadline_is_now(deadline))
            return -CHANNEL_EAGAIN;
        result = wait_for_space(channel, send_index(send), deadline);
        if (result < 0)
            return result;
    }
}

int crossvm_channel_drain(crossvm_channel_t *channel, crossvm_deadline_t deadline)
{
    return (int)cvm_channel_result(channel, drain(channel, deadline));
}
