/* SPDX-License-Identifier: BSD-2-Clause */
#include "channel_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define GUARD 4096

static int emit(void *cookie)
{
    struct end *end = cookie;

    end->emits++;
    end->other->pending++;
    return 0;
}

/* Nothing happens in one thread while it sleeps, other than what the test lets happen. */
static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    struct end *end = cookie;

    end->waits++;
    end->limit_us = limit_us;
    assert_true(!crossvm_deadline_is_now(deadline));
    if (end->pending == 0 && end->asleep)
        end->asleep(end);
    if (end->pending > 0) {
        end->pending = 0;
        return 0;
    }
    if (limit_us > 0)
        return -EAGAIN;
    assert_true(!crossvm_deadline_is_forever(deadline)); /* would sleep for ever */
    return -ETIMEDOUT;
}

static uint8_t *map_guarded(size_t size)
{
    uint8_t *memory = mmap(NULL, size + 2 * (size_t)GUARD, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(memory != MAP_FAILED);
    assert_int_equal(mprotect(memory + GUARD, size, PROT_READ | PROT_WRITE), 0);
    return memory + GUARD;
}

struct pair *pair_new(size_t size, unsigned mode, unsigned flags)
{
    struct pair *pair = aligned_alloc(64, sizeof(*pair));

    assert_non_null(pair);
    memset(pair, 0, sizeof(*pair));
    pair->memory = map_guarded(size);
    pair->size = size;
    for (unsigned i = 0; i < 2; i++) {
        crossvm_channel_config_t config = {
            .memory = pair->memory,
            .size = size,
            .end = CROSSVM_CHANNEL_END(i),
            .mode = mode,
            .flags = flags,
            .emit = emit,
            .wait = wait_for_event,
            .cookie = &pair->end[i],
        };

        pair->end[i].other = &pair->end[1 - i];
        assert_int_equal(crossvm_channel_init(&pair->end[i].channel, &config), 0);
    }
    return pair;
}

void pair_open(struct pair *pair)
{
    for (int i = 0; i < 2; i++)
        crossvm_channel_open(&pair->end[i].channel);
    for (int i = 0; i < 4; i++) /* one step each, in turns */
        (void)crossvm_channel_connect(&pair->end[i % 2].channel, NOW);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(crossvm_channel_state(&pair->end[i].channel), CROSSVM_CHANNEL_CONNECTED);
        pair->end[i].pending = pair->end[i].emits = 0;
    }
}

struct pair *pair_connected(size_t size, unsigned mode)
{
    struct pair *pair = pair_new(size, mode, 0);

    pair_open(pair);
    return pair;
}

void pair_free(struct pair *pair)
{
    munmap(pair->memory - GUARD, pair->size + 2 * (size_t)GUARD);
    free(pair);
}

uint32_t *pair_word(struct pair *pair, unsigned end, unsigned at)
{
    return (uint32_t *)(void *)(pair->memory + CROSSVM_CHANNEL_BLOCK_AT(end) + at);
}

static uint8_t pattern(size_t i, unsigned seed)
{
    return (uint8_t)((i + seed) * 31 + seed / 7 + (i >> 8));
}

void fill(void *buffer, size_t length, unsigned seed)
{
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)buffer)[i] = pattern(i, seed);
}

void assert_filled(const void *buffer, size_t length, unsigned seed)
{
    for (size_t i = 0; i < length; i++)
        if (((const uint8_t *)buffer)[i] != pattern(i, seed))
            fail_msg("byte %zu of %zu is wrong", i, length);
}
