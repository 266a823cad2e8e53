/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inline part of crossvm/channel.h: a datagram in the middle of a ring that has space, or data. Everything else is
 * in src/channel. Names with `private` are not for callers.
 *
 * The only shared memory that decides anything here is a length. It is read once, into a private copy, and checked
 * against private limits.
 */
#include <crossvm/channel.h> /* before the guard: that header includes this one where it can be */

#ifndef CROSSVM_CHANNEL_FAST_H
#define CROSSVM_CHANNEL_FAST_H

static inline uint32_t crossvm_private_load(const crossvm_private_word_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static inline uint32_t crossvm_private_load_acquire(const crossvm_private_word_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static inline void crossvm_private_store(crossvm_private_word_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline void crossvm_private_store_release(crossvm_private_word_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* Orders all earlier accesses, stores too, before all later ones, loads too. */
static inline void crossvm_private_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

ptrdiff_t crossvm_private_send_slow(crossvm_channel_t *channel, const void *data, size_t length,
                                    crossvm_deadline_t deadline);
ptrdiff_t crossvm_private_recv_slow(crossvm_channel_t *channel, void *buffer, size_t capacity,
                                    crossvm_deadline_t deadline);
ptrdiff_t crossvm_private_reserve_slow(crossvm_channel_t *channel, void **data, size_t length,
                                       crossvm_deadline_t deadline);
ptrdiff_t crossvm_private_peek_slow(crossvm_channel_t *channel, const void **data, crossvm_deadline_t deadline);
int crossvm_private_commit_slow(crossvm_channel_t *channel, size_t length);
int crossvm_private_release_slow(crossvm_channel_t *channel, size_t length);
int crossvm_private_fail(crossvm_channel_t *channel, int error);
void crossvm_private_wake_receiver(crossvm_channel_t *channel);
void crossvm_private_end_batch(crossvm_channel_t *channel);

/* Bytes that a datagram takes in the ring. They have 64 bits because a hostile length must not overflow. */
static inline uint64_t crossvm_private_record_bytes(uint64_t length)
{
    return (length + CROSSVM_CHANNEL_RECORD_HEADER + CROSSVM_CHANNEL_RECORD_ALIGN - 1) &
           ~(uint64_t)(CROSSVM_CHANNEL_RECORD_ALIGN - 1);
}

/* Short messages of a batch are copied in groups of this many: then a message costs its copy and little else. */
#define CROSSVM_PRIVATE_GROUP 8

/* A batch is at most this long, so that the receiver can take one while the next is written. */
#define CROSSVM_PRIVATE_BATCH_BYTES 8192

/*
 * Where an address that is not aligned may trap, compilers are told so, and then they move bytes one by one where the
 * alignment is not known (GCC's -mstrict-align, with which seL4's build compiles). Of 64-bit Arm no macro tells: define
 * CROSSVM_CHANNEL_STRICT_ALIGN for the channel and for those who include this. Without it, the code is slow there, and
 * right.
 */
#if !defined(CROSSVM_CHANNEL_STRICT_ALIGN) && defined(__arm__) && !defined(__ARM_FEATURE_UNALIGNED)
#define CROSSVM_CHANNEL_STRICT_ALIGN
#endif

#ifdef __aarch64__
/* As memcpy(), but with the widest registers: for lengths that the compiler does not know. */
void crossvm_private_copy_blocks(void *to, const void *from, size_t length);
#define crossvm_private_copy_any crossvm_private_copy_blocks
#else
#define crossvm_private_copy_any __builtin_memcpy
#endif

/* A length that the compiler knows, and that is so short that every channel takes it. */
#define CROSSVM_PRIVATE_IS_SHORT(length) (__builtin_constant_p(length) && (length) <= 256)

#ifdef CROSSVM_CHANNEL_STRICT_ALIGN
/* What is in the ring is aligned to 8 bytes, and mostly what a program has is, too. */
CROSSVM_PRIVATE_INLINE void crossvm_private_copy(void *to, const void *from, size_t length)
{
    typedef uint64_t __attribute__((may_alias)) word_t;
    word_t words[8];

    if (!CROSSVM_PRIVATE_IS_SHORT(length) || length % 8 || (((uintptr_t)to | (uintptr_t)from) & 7)) {
        crossvm_private_copy_any(to, from, length);
        return;
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < length / 8; i += 8) {
        size_t n = length / 8 - i < 8 ? length / 8 - i : 8;

        /* All loads before all stores, so that they pair. */
#pragma GCC unroll 8
        for (size_t k = 0; k < n; k++)
            words[k] = ((const word_t *)from)[i + k];
#pragma GCC unroll 8
        for (size_t k = 0; k < n; k++)
            ((word_t *)to)[i + k] = words[k];
    }
}

CROSSVM_PRIVATE_INLINE void crossvm_private_copy_fresh(uint8_t *to, const void *from, size_t length)
{
    crossvm_private_copy(to, from, length);
}
#else
/* As many bytes as one instruction moves without a demand for alignment. */
#ifdef __AVX__
typedef uint64_t __attribute__((vector_size(32), aligned(1), may_alias)) crossvm_private_wide_t;
#else
typedef uint64_t __attribute__((vector_size(16), aligned(1), may_alias)) crossvm_private_wide_t;
#endif

/* Copies a length of at least one wide_t. The last wide_t overlaps the one before it. */
CROSSVM_PRIVATE_INLINE void crossvm_private_copy_wide(uint8_t *to, const uint8_t *from, size_t length)
{
    const size_t wide = sizeof(crossvm_private_wide_t);

#pragma GCC unroll 16
    for (size_t i = 0; i + wide < length; i += wide)
        *(crossvm_private_wide_t *)(to + i) = *(const crossvm_private_wide_t *)(from + i);
    *(crossvm_private_wide_t *)(to + length - wide) = *(const crossvm_private_wide_t *)(from + length - wide);
}

/*
 * Copies a short message that was probably written just now. A wide load that overlaps a recent store waits until that
 * store, and all before it, have left the store buffer. The first word is most often the last one written, so it is
 * copied by itself.
 */
CROSSVM_PRIVATE_INLINE void crossvm_private_copy_fresh(uint8_t *to, const void *from, size_t length)
{
    if (CROSSVM_PRIVATE_IS_SHORT(length) && length >= 8 + sizeof(crossvm_private_wide_t)) {
        uint64_t word;

        __builtin_memcpy(&word, from, 8);
        __builtin_memcpy(to, &word, 8);
        crossvm_private_copy_wide(to + 8, (const uint8_t *)from + 8, length - 8);
    } else {
        crossvm_private_copy_any(to, from, length);
    }
}

/* Copies a message that nobody has just written. */
CROSSVM_PRIVATE_INLINE void crossvm_private_copy(void *to, const void *from, size_t length)
{
    if (CROSSVM_PRIVATE_IS_SHORT(length) && length >= sizeof(crossvm_private_wide_t))
        crossvm_private_copy_wide((uint8_t *)to, (const uint8_t *)from, length);
    else
        crossvm_private_copy_any(to, from, length);
}
#endif

/* Whether a datagram can be written at `at`. False, too, for a length that fits no channel, or would overflow. */
CROSSVM_PRIVATE_INLINE bool crossvm_private_fits(const struct crossvm_private_sender *send, const uint8_t *at,
                                                 size_t length)
{
    return (CROSSVM_PRIVATE_IS_SHORT(length) || length <= send->longest) &&
           (uintptr_t)at + (size_t)crossvm_private_record_bytes(length) <= (uintptr_t)send->end;
}

/* Writes the header of a record: of one datagram, or of a batch of datagrams of `each` bytes if that is not 0. Returns
 * where the next record goes. */
CROSSVM_PRIVATE_INLINE uint8_t *crossvm_private_seal(uint8_t *at, size_t length, uint32_t each)
{
    typedef uint64_t __attribute__((may_alias)) header_t;

    *(header_t *)(void *)at = length | (uint64_t)each << 32;
    return at + crossvm_private_record_bytes(length);
}

/* Copies messages from one row, without gaps, to another. `fresh`: the first was probably written just now. */
CROSSVM_PRIVATE_INLINE void crossvm_private_copy_row(uint8_t *to, const uint8_t *from, size_t length, size_t count,
                                                     bool fresh)
{
    uint8_t *const end = to + count * length;

    if (!CROSSVM_PRIVATE_IS_SHORT(length)) {
        crossvm_private_copy_any(to, from, count * length);
        return;
    }
    if (fresh && count >= CROSSVM_PRIVATE_GROUP) {
        crossvm_private_copy_fresh(to, from, length);
#pragma GCC unroll 8
        for (size_t i = 1; i < CROSSVM_PRIVATE_GROUP; i++)
            crossvm_private_copy(to + i * length, from + i * length, length);
        to += CROSSVM_PRIVATE_GROUP * length;
        from += CROSSVM_PRIVATE_GROUP * length;
    }
    while ((uintptr_t)to + CROSSVM_PRIVATE_GROUP * length <= (uintptr_t)end) {
#pragma GCC unroll 8
        for (size_t i = 0; i < CROSSVM_PRIVATE_GROUP; i++)
            crossvm_private_copy(to + i * length, from + i * length, length);
        to += CROSSVM_PRIVATE_GROUP * length;
        from += CROSSVM_PRIVATE_GROUP * length;
    }
    for (; to < end; to += length, from += length) {
        if (fresh)
            crossvm_private_copy_fresh(to, from, length);
        else
            crossvm_private_copy(to, from, length);
    }
}

/* Tells the peer of everything up to `at`. */
CROSSVM_PRIVATE_INLINE void crossvm_private_publish(crossvm_channel_t *channel, const uint8_t *at)
{
    struct crossvm_private_sender *send = &channel->send;

    /* Release: orders the stores of the payload before that of PRODUCED. Pairs with the peer's acquire of PRODUCED in
     * look_at_produced(). */
    crossvm_private_store_release(send->produced, (uint32_t)(uintptr_t)at + send->bias);
    /* Keeps the compiler from moving the store of PRODUCED after the load of the wake word. The processor may still do
     * so. A peer that sets FENCE forbids it, and then crossvm_private_wake_receiver() has the fence. */
    __asm__ volatile("" ::: "memory");
    if (__builtin_expect(
            crossvm_private_load(__atomic_load_n(&send->looked_at, __ATOMIC_RELAXED)) & CROSSVM_CHANNEL_WAKE_FLAGS, 0))
        crossvm_private_wake_receiver(channel);
}

CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_send(crossvm_channel_t *channel, const void *data, size_t length,
                                                      crossvm_deadline_t deadline)
{
    struct crossvm_private_sender *send = &channel->send;
    uint8_t *at = send->at;

    if (__builtin_expect(!crossvm_private_fits(send, at, length), 0))
        return crossvm_private_send_slow(channel, data, length, deadline);
    crossvm_private_copy_fresh(at + CROSSVM_CHANNEL_RECORD_HEADER, data, length);
    at = crossvm_private_seal(at, length, 0);
    send->at = at;
    crossvm_private_publish(channel, at);
    return (ptrdiff_t)length;
}

CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_reserve(crossvm_channel_t *channel, void **data, size_t length,
                                                         crossvm_deadline_t deadline)
{
    struct crossvm_private_sender *send = &channel->send;

    if (__builtin_expect(!crossvm_private_fits(send, send->at, length), 0))
        return crossvm_private_reserve_slow(channel, data, length, deadline);
    *data = send->at + CROSSVM_CHANNEL_RECORD_HEADER;
    return (ptrdiff_t)length;
}

CROSSVM_CHANNEL_INLINE int crossvm_channel_commit_more(crossvm_channel_t *channel, size_t length)
{
    if (__builtin_expect(!crossvm_private_fits(&channel->send, channel->send.at, length), 0))
        return crossvm_private_commit_slow(channel, length);
    channel->send.at = crossvm_private_seal(channel->send.at, length, 0);
    return 0;
}

CROSSVM_CHANNEL_INLINE void crossvm_channel_flush(crossvm_channel_t *channel)
{
    if (channel->send.produced) /* NULL while there is no session */
        crossvm_private_publish(channel, channel->send.at);
}

CROSSVM_CHANNEL_INLINE int crossvm_channel_commit(crossvm_channel_t *channel, size_t length)
{
    int error = crossvm_channel_commit_more(channel, length);

    if (__builtin_expect(error, 0))
        return error;
    crossvm_channel_flush(channel);
    return 0;
}

/* How many of `left` datagrams go into one record at `at`. Less than 2 when a batch is not possible there. */
CROSSVM_PRIVATE_INLINE size_t crossvm_private_batch(const struct crossvm_private_sender *send, size_t length,
                                                    size_t left)
{
    const size_t room = (size_t)(send->end - send->at);
    size_t most = CROSSVM_PRIVATE_BATCH_BYTES;

    if (!send->batches || length == 0 || length % CROSSVM_CHANNEL_RECORD_ALIGN != 0 ||
        room < CROSSVM_CHANNEL_RECORD_HEADER)
        return 0;
    most = room - CROSSVM_CHANNEL_RECORD_HEADER < most ? room - CROSSVM_CHANNEL_RECORD_HEADER : most;
    most = (send->longest < most ? send->longest : most) / length;
    return left < most ? left : most;
}

CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_send_many(crossvm_channel_t *channel, const void *data, size_t length,
                                                           size_t count, crossvm_deadline_t deadline)
{
    struct crossvm_private_sender *send = &channel->send;
    const uint8_t *from = (const uint8_t *)data;
    ptrdiff_t result = 0;
    size_t left = count;

    if (channel->config.mode != CROSSVM_CHANNEL_DATAGRAM)
        return crossvm_private_fail(channel, -CROSSVM_PRIVATE_EINVAL);
    while (left > 0) {
        size_t some = crossvm_private_batch(send, length, left);

        if (some > 1) {
            crossvm_private_copy_row(send->at + CROSSVM_CHANNEL_RECORD_HEADER, from, length, some, true);
            send->at = crossvm_private_seal(send->at, some * length, (uint32_t)length);
        } else if (crossvm_private_fits(send, send->at, length)) {
            some = 1;
            crossvm_private_copy_fresh(send->at + CROSSVM_CHANNEL_RECORD_HEADER, from, length);
            send->at = crossvm_private_seal(send->at, length, 0);
        } else {
            some = 1;
            result = crossvm_private_send_slow(channel, from, length, deadline);
            if (result < 0)
                break;
        }
        from += some * length;
        left -= some;
    }
    if (left == count)
        return result;
    crossvm_channel_flush(channel);
    return (ptrdiff_t)(count - left);
}

/*
 * The header of a record: LENGTH in the lower half, EACH in the upper one. This is the only load of it: what follows
 * uses the private copy. The acquire of PRODUCED, before `end` was set, orders it.
 */
CROSSVM_PRIVATE_INLINE uint64_t crossvm_private_load_header(const uint8_t *at)
{
    typedef uint64_t __attribute__((may_alias)) header_t;

    if (sizeof(void *) == sizeof(uint64_t))
        return __atomic_load_n((const header_t *)(const void *)at, __ATOMIC_RELAXED);
    return crossvm_private_load((const crossvm_private_word_t *)(const void *)at) |
           (uint64_t)crossvm_private_load(
               (const crossvm_private_word_t *)(const void *)(at + CROSSVM_CHANNEL_RECORD_EACH))
               << 32;
}

/*
 * Looks at the next record: its length, and how many bytes it takes. False when the slow path must look: there is no
 * record, the ring ends, the length is impossible, it is a batch, or so much was taken that the peer must be told.
 */
CROSSVM_PRIVATE_INLINE bool crossvm_private_next_record(const struct crossvm_private_receiver *recv, uint32_t *length,
                                                        uint64_t *record)
{
    const size_t there = (size_t)(recv->end - recv->at);
    uint64_t header;

    if (there == 0)
        return false;
    header = crossvm_private_load_header(recv->at);
    *length = (uint32_t)header;
    *record = crossvm_private_record_bytes(*length);
    return header == *length && *record <= there;
}

/* Whether there is a record at `at`, of one datagram with that length. */
CROSSVM_PRIVATE_INLINE bool crossvm_private_next_is(const uint8_t *at, const uint8_t *end, size_t length)
{
    return (uintptr_t)at + (size_t)crossvm_private_record_bytes(length) <= (uintptr_t)end &&
           crossvm_private_load_header(at) == length;
}

/*
 * Takes up to count datagrams of one length: records of one datagram, and whole batches. Returns how many it took.
 * Other records, and a batch of more datagrams than are wanted, are left to the slow path.
 */
CROSSVM_PRIVATE_INLINE size_t crossvm_private_take_alike(struct crossvm_private_receiver *recv, uint8_t *to,
                                                         size_t length, size_t count)
{
    uint8_t *at = recv->at;
    size_t done = 0;

    while (done < count && at < recv->end) {
        const uint64_t header = crossvm_private_load_header(at);
        const size_t bytes = (uint32_t)header;
        size_t some = 1;

        if (header != length) { /* not one datagram, whose EACH is 0 */
            some = bytes / length;
            if (header >> 32 != length || length % CROSSVM_CHANNEL_RECORD_ALIGN != 0 || some < 2 ||
                some * length != bytes)
                break;
        }
        if (some > count - done || crossvm_private_record_bytes(bytes) > (size_t)(recv->end - at))
            break;
        crossvm_private_copy_row(to, at + CROSSVM_CHANNEL_RECORD_HEADER, length, some, false);
        at += crossvm_private_record_bytes(bytes);
        to += some * length;
        done += some;
    }
    recv->at = at;
    return done;
}

/* Takes up to count datagrams of that length out of the current batch. Returns how many it took. */
CROSSVM_PRIVATE_INLINE size_t crossvm_private_take_batch(crossvm_channel_t *channel, uint8_t *to, size_t length,
                                                         size_t count)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    size_t some = (size_t)(recv->part_end - recv->part) / length;

    if (some > count)
        some = count;
    crossvm_private_copy_row(to, recv->part, length, some, false);
    recv->part += some * length;
    if (recv->part == recv->part_end)
        crossvm_private_end_batch(channel);
    return some;
}

CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_recv(crossvm_channel_t *channel, void *buffer, size_t capacity,
                                                      crossvm_deadline_t deadline)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    uint8_t *at = recv->at;
    uint64_t record;
    uint32_t length;

    if (CROSSVM_PRIVATE_IS_SHORT(capacity) && __builtin_expect(crossvm_private_next_is(at, recv->end, capacity), 1)) {
        crossvm_private_copy(buffer, at + CROSSVM_CHANNEL_RECORD_HEADER, capacity);
        recv->at = at + crossvm_private_record_bytes(capacity);
        return (ptrdiff_t)capacity;
    }
    if (__builtin_expect(!crossvm_private_next_record(recv, &length, &record) || length > capacity, 0))
        return crossvm_private_recv_slow(channel, buffer, capacity, deadline);
    crossvm_private_copy_any(buffer, at + CROSSVM_CHANNEL_RECORD_HEADER, length);
    recv->at = at + record;
    return (ptrdiff_t)length;
}

CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_peek(crossvm_channel_t *channel, const void **data,
                                                      crossvm_deadline_t deadline)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    uint64_t record;
    uint32_t length;

    if (__builtin_expect(!crossvm_private_next_record(recv, &length, &record), 0))
        return crossvm_private_peek_slow(channel, data, deadline);
    *data = recv->at + CROSSVM_CHANNEL_RECORD_HEADER;
    recv->next = recv->at + record;
    return (ptrdiff_t)length;
}

CROSSVM_CHANNEL_INLINE int crossvm_channel_release(crossvm_channel_t *channel, size_t length)
{
    struct crossvm_private_receiver *recv = &channel->recv;

    if (__builtin_expect(recv->next <= recv->at, 0))
        return crossvm_private_release_slow(channel, length);
    recv->at = recv->next;
    return 0;
}

CROSSVM_CHANNEL_INLINE ptrdiff_t crossvm_channel_recv_many(crossvm_channel_t *channel, void *buffer, size_t capacity,
                                                           uint32_t *lengths, size_t count, crossvm_deadline_t deadline)
{
    struct crossvm_private_receiver *recv = &channel->recv;
    uint8_t *to = (uint8_t *)buffer;
    size_t done = 0;

    if (channel->config.mode != CROSSVM_CHANNEL_DATAGRAM)
        return crossvm_private_fail(channel, -CROSSVM_PRIVATE_EINVAL);
    while (done < count) {
        const void *from;
        ptrdiff_t length;

        if (!lengths && capacity > 0) {
            size_t some = 0;

            if (recv->part) {
                if (recv->each == capacity)
                    some = crossvm_private_take_batch(channel, to, capacity, count - done);
            } else if (CROSSVM_PRIVATE_IS_SHORT(capacity) && recv->end != recv->at) {
                some = crossvm_private_take_alike(recv, to, capacity, count - done);
            }
            done += some;
            to += some * capacity;
            if (done == count)
                break;
        }
        length = crossvm_channel_peek(channel, &from, done ? CROSSVM_NOW : deadline);
        if (__builtin_expect(length < 0, 0))
            return done ? (ptrdiff_t)done : length;
        if (__builtin_expect(lengths ? (size_t)length > capacity : (size_t)length != capacity, 0))
            return done ? (ptrdiff_t)done : crossvm_private_fail(channel, -CROSSVM_PRIVATE_EMSGSIZE);
        if (recv->part && !lengths)
            continue; /* a batch of that length, to be taken in one go */
        crossvm_private_copy_any(to, from, (size_t)length);
        (void)crossvm_channel_release(channel, (size_t)length);
        if (lengths)
            lengths[done] = (uint32_t)length;
        to += capacity;
        done++;
    }
    return (ptrdiff_t)done;
}

#endif
