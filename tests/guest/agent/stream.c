/* SPDX-License-Identifier: BSD-2-Clause */
#include "stream.h"

#include <string.h>

#include "../harness/case.h"

#define MOST 40000 /* bytes of a piece */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

static void make_block(uint64_t *seed, uint64_t *block)
{
    for (size_t i = 0; i < STREAM_BLOCK / sizeof(*block); i++)
        block[i] = next_random(seed);
}

/* Fails the case if a call gave an error. */
static void check(uint32_t block, ptrdiff_t result)
{
    CHECK(result >= 0, "block %u: %s", block, crossvm_strerror());
}

static void give(crossvm_channel_t *channel, uint32_t blocks)
{
    static uint64_t block[STREAM_BLOCK / 8];
    uint64_t content = 1, cut = 2;

    for (uint32_t n = 0; n < blocks; n++) {
        make_block(&content, block);
        for (size_t sent = 0; sent < STREAM_BLOCK;) {
            size_t piece = next_random(&cut) % MOST + 1, left = STREAM_BLOCK - sent;
            ptrdiff_t result =
                crossvm_channel_send(channel, (const char *)block + sent, piece < left ? piece : left, CROSSVM_FOREVER);

            check(n, result);
            sent += (size_t)result;
        }
    }
    crossvm_channel_shutdown(channel);
    check(blocks, crossvm_channel_drain(channel, CROSSVM_FOREVER));
}

static void take(crossvm_channel_t *channel, uint32_t blocks)
{
    static uint64_t block[STREAM_BLOCK / 8];
    static char piece[MOST];
    uint64_t content = 1, cut = 3, received = 0;

    for (;;) {
        size_t capacity = next_random(&cut) % MOST + 1;
        ptrdiff_t length = crossvm_channel_recv(channel, piece, capacity, CROSSVM_FOREVER);
        size_t checked = 0;

        check((uint32_t)(received / STREAM_BLOCK), length);
        if (length == 0)
            break;
        while (checked < (size_t)length) {
            size_t at = received % STREAM_BLOCK, some = (size_t)length - checked;

            if (at == 0)
                make_block(&content, block);
            if (some > STREAM_BLOCK - at)
                some = STREAM_BLOCK - at;
            CHECK(memcmp((const char *)block + at, piece + checked, some) == 0,
                  "block %u has other bytes than were sent", (uint32_t)(received / STREAM_BLOCK));
            checked += some;
            received += some;
        }
    }
    CHECK(received == (uint64_t)blocks * STREAM_BLOCK, "%llu bytes came, not %u blocks", (unsigned long long)received,
          blocks);
}

static void with_channel(void (*move)(crossvm_channel_t *, uint32_t), crossvm_end_t *end, uint32_t blocks)
{
    crossvm_channel_t *channel;

    CHECK(crossvm_channel_create(&channel, end, NULL) == 0, "%s", crossvm_strerror());
    move(channel, blocks);
    crossvm_channel_destroy(channel);
}

void stream_give(crossvm_end_t *end, uint32_t blocks)
{
    with_channel(give, end, blocks);
}

void stream_take(crossvm_end_t *end, uint32_t blocks)
{
    with_channel(take, end, blocks);
}
