/* SPDX-License-Identifier: BSD-2-Clause */
#include "stream.h"

#include <stdio.h>
#include <string.h>

#define MOST 40000 /* bytes of a piece */

static char reason[256];

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

static const char *fail(uint32_t block, ptrdiff_t error)
{
    (void)snprintf(reason, sizeof(reason), "block %u: %s", block,
                   error < 0 ? crossvm_strerror() : "other bytes than were sent");
    return reason;
}

static const char *give(crossvm_channel_t *channel, uint32_t blocks)
{
    static uint64_t block[STREAM_BLOCK / 8];
    uint64_t content = 1, cut = 2;
    int error;

    for (uint32_t n = 0; n < blocks; n++) {
        make_block(&content, block);
        for (size_t sent = 0; sent < STREAM_BLOCK;) {
            size_t piece = next_random(&cut) % MOST + 1, left = STREAM_BLOCK - sent;
            ptrdiff_t result =
                crossvm_channel_send(channel, (const char *)block + sent, piece < left ? piece : left, CROSSVM_FOREVER);

            if (result < 0)
                return fail(n, result);
            sent += (size_t)result;
        }
    }
    crossvm_channel_shutdown(channel);
    error = crossvm_channel_drain(channel, CROSSVM_FOREVER);
    return error ? fail(blocks, error) : NULL;
}

static const char *take(crossvm_channel_t *channel, uint32_t blocks)
{
    static uint64_t block[STREAM_BLOCK / 8];
    static char piece[MOST];
    uint64_t content = 1, cut = 3, received = 0;

    for (;;) {
        size_t capacity = next_random(&cut) % MOST + 1;
        ptrdiff_t length = crossvm_channel_recv(channel, piece, capacity, CROSSVM_FOREVER);
        size_t checked = 0;

        if (length < 0)
            return fail((uint32_t)(received / STREAM_BLOCK), length);
        if (length == 0)
            break;
        while (checked < (size_t)length) {
            size_t at = received % STREAM_BLOCK, some = (size_t)length - checked;

            if (at == 0)
                make_block(&content, block);
            if (some > STREAM_BLOCK - at)
                some = STREAM_BLOCK - at;
            if (memcmp((const char *)block + at, piece + checked, some) != 0)
                return fail((uint32_t)(received / STREAM_BLOCK), 0);
            checked += some;
            received += some;
        }
    }
    if (received == (uint64_t)blocks * STREAM_BLOCK)
        return NULL;
    (void)snprintf(reason, sizeof(reason), "%llu bytes came, not %u blocks", (unsigned long long)received, blocks);
    return reason;
}

static const char *with_channel(const char *(*move)(crossvm_channel_t *, uint32_t), crossvm_end_t *end, uint32_t blocks)
{
    crossvm_channel_t *channel;
    const char *wrong;

    if (crossvm_channel_create(&channel, end, NULL)) {
        (void)snprintf(reason, sizeof(reason), "%s", crossvm_strerror());
        return reason;
    }
    wrong = move(channel, blocks);
    crossvm_channel_destroy(channel);
    return wrong;
}

const char *stream_give(crossvm_end_t *end, uint32_t blocks)
{
    return with_channel(give, end, blocks);
}

const char *stream_take(crossvm_end_t *end, uint32_t blocks)
{
    return with_channel(take, end, blocks);
}
