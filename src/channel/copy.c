/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copying on 64-bit Arm. There a bare component's memcpy() may copy word by word, and the C library's uses registers of
 * half the possible width: a long message costs twice the instructions. Elsewhere memcpy() is the best.
 */
#include "internal.h"

#ifdef __aarch64__
#define BLOCKS 8

void crossvm_private_copy_blocks(void *to, const void *from, size_t length)
{
    typedef uint64_t __attribute__((vector_size(16), aligned(1), may_alias)) block_t;
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
