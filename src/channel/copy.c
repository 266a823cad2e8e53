/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copying on 64-bit Arm. There a bare component's memcpy() may copy word by word, and the C library's uses registers of
 * half the possible width: a long message costs twice the instructions. Elsewhere memcpy() is the best.
 */
#include "internal.h"

#ifdef __aarch64__
#ifdef CROSSVM_CHANNEL_STRICT_ALIGN
typedef uint64_t __attribute__((may_alias)) word_t;
typedef uint64_t __attribute__((vector_size(16), may_alias)) block_t;
typedef uint8_t __attribute__((vector_size(16), may_alias)) bytes_t;

/* Copies pieces of a type, eight at a time: all loads before all stores, so that they pair. Counts what is copied. */
#define COPY(type, to, from, length, done)                                                                             \
    for (; (length) - (done) >= 8 * sizeof(type); (done) += 8 * sizeof(type)) {                                        \
        type pieces[8];                                                                                                \
                                                                                                                       \
        _Pragma("GCC unroll 8") for (size_t i = 0; i < 8; i++) pieces[i] = ((const type *)((from) + (done)))[i];       \
        _Pragma("GCC unroll 8") for (size_t i = 0; i < 8; i++)((type *)((to) + (done)))[i] = pieces[i];                \
    }

static void copy_bytes(uint8_t *to, const uint8_t *from, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        to[i] = from[i];
        __asm__ volatile("" ::: "memory"); /* else the compiler makes a call of memcpy() of it */
    }
}

/* Both are aligned to 8 bytes, or neither is. Returns the bytes copied: all but the last few. */
static size_t copy_words(uint8_t *to, const uint8_t *from, size_t length)
{
    size_t done = -(uintptr_t)to % sizeof(word_t);

    copy_bytes(to, from, done);
    if (((uintptr_t)to ^ (uintptr_t)from) % sizeof(block_t) == 0) {
        for (; (uintptr_t)(to + done) % sizeof(block_t) && length - done >= sizeof(word_t); done += sizeof(word_t))
            *(word_t *)(to + done) = *(const word_t *)(from + done);
        COPY(block_t, to, from, length, done)
    }
    COPY(word_t, to, from, length, done)
    for (; length - done >= sizeof(word_t); done += sizeof(word_t))
        *(word_t *)(to + done) = *(const word_t *)(from + done);
    return done;
}

#ifndef __clang__ /* which has no shuffle by places that it does not know */
/* Each block of `to` is made of two of `from`. Returns the bytes copied: all but the last few. */
static size_t copy_shifted(uint8_t *to, const uint8_t *from, size_t length)
{
    /* A block and more, so that the first load does not reach out of the buffer. */
    size_t done = sizeof(block_t) + -(uintptr_t)to % sizeof(block_t), shift;
    bytes_t before, next[4], places;
    const bytes_t *in;

    copy_bytes(to, from, done);
    shift = (uintptr_t)(from + done) % sizeof(block_t);
    in = (const bytes_t *)(from + done - shift);
    for (size_t i = 0; i < sizeof(places); i++)
        places[i] = (uint8_t)(i + shift);
    before = *in++;
    for (; length - done >= 5 * sizeof(block_t); done += 4 * sizeof(block_t)) {
        bytes_t *out = (bytes_t *)(to + done);

#pragma GCC unroll 4
        for (size_t i = 0; i < 4; i++)
            next[i] = *in++;
        out[0] = __builtin_shuffle(before, next[0], places);
        out[1] = __builtin_shuffle(next[0], next[1], places);
        out[2] = __builtin_shuffle(next[1], next[2], places);
        out[3] = __builtin_shuffle(next[2], next[3], places);
        before = next[3];
    }
    for (; length - done >= 2 * sizeof(block_t); done += sizeof(block_t)) {
        next[0] = *in++;
        *(bytes_t *)(to + done) = __builtin_shuffle(before, next[0], places);
        before = next[0];
    }
    return done;
}
#endif

void crossvm_private_copy_blocks(void *to, const void *from, size_t length)
{
    bool words = ((uintptr_t)to ^ (uintptr_t)from) % sizeof(word_t) == 0;
    size_t done = 0;

    if (words && length >= 2 * sizeof(word_t))
        done = copy_words(to, from, length);
#ifndef __clang__
    else if (!words && length >= 4 * sizeof(block_t))
        done = copy_shifted(to, from, length);
#endif
    copy_bytes((uint8_t *)to + done, (const uint8_t *)from + done, length - done);
}
#else
void crossvm_private_copy_blocks(void *to, const void *from, size_t length)
{
    typedef uint64_t __attribute__((vector_size(16), aligned(1), may_alias)) block_t;
    enum { BLOCKS = 8 };
    block_t *out = to;
    const block_t *in = from;

    for (; length >= BLOCKS * sizeof(block_t); length -= BLOCKS * sizeof(block_t), in += BLOCKS, out += BLOCKS) {
        block_t blocks[BLOCKS]; /* all loads before all stores, so that they pair */

#pragma GCC unroll 8
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = in[i];
#pragma GCC unroll 8
        for (int i = 0; i < BLOCKS; i++)
            out[i] = blocks[i];
    }
    __builtin_memcpy(out, in, length);
}
#endif
#endif
