/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of fixed slots as one would write it by hand: two indices, each with a cached copy on the other side. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "rival.h"

#define SLOTS 2048
#define BULK_SLOTS 32

typedef struct queue {
    _Alignas(128) uint64_t produced;
    uint64_t consumed_seen;
    _Alignas(128) uint64_t consumed;
    uint64_t produced_seen;
    _Alignas(128) struct message slot[SLOTS];
    _Alignas(4096) uint8_t bulk[BULK_SLOTS][BULK_BYTES];
} queue_t;

static bool has_space(queue_t *queue, uint64_t produced, uint64_t slots)
{
    if (produced - queue->consumed_seen < slots)
        return true;
    queue->consumed_seen = __atomic_load_n(&queue->consumed, __ATOMIC_ACQUIRE);
    return produced - queue->consumed_seen < slots;
}

static bool has_data(queue_t *queue, uint64_t consumed)
{
    if (consumed != queue->produced_seen)
        return true;
    queue->produced_seen = __atomic_load_n(&queue->produced, __ATOMIC_ACQUIRE);
    return consumed != queue->produced_seen;
}

static bool try_put(queue_t *queue, const struct message *message)
{
    const uint64_t produced = queue->produced;

    if (!has_space(queue, produced, SLOTS))
        return false;
        /* In words, since a wide load of what was stored word by word a moment ago would wait. */
#pragma GCC unroll 8
    for (int i = 0; i < MESSAGE_WORDS; i++) {
        uint64_t word = message->word[i];

        __asm__("" : "+r"(word));
        queue->slot[produced % SLOTS].word[i] = word;
    }
    __atomic_store_n(&queue->produced, produced + 1, __ATOMIC_RELEASE);
    return true;
}

static bool try_get(queue_t *queue, struct message *message)
{
    const uint64_t consumed = queue->consumed;

    if (!has_data(queue, consumed))
        return false;
    *message = queue->slot[consumed % SLOTS];
    __atomic_store_n(&queue->consumed, consumed + 1, __ATOMIC_RELEASE);
    return true;
}

static size_t put_some(queue_t *queue, const struct message *messages, size_t count)
{
    const uint64_t produced = queue->produced;
    size_t done = 0;

    for (; done < count && has_space(queue, produced + done, SLOTS); done++)
        queue->slot[(produced + done) % SLOTS] = messages[done];
    __atomic_store_n(&queue->produced, produced + done, __ATOMIC_RELEASE);
    return done;
}

static size_t get_some(queue_t *queue, struct message *messages, size_t count)
{
    const uint64_t consumed = queue->consumed;
    size_t done = 0;

    for (; done < count && has_data(queue, consumed + done); done++)
        messages[done] = queue->slot[(consumed + done) % SLOTS];
    if (done > 0)
        __atomic_store_n(&queue->consumed, consumed + done, __ATOMIC_RELEASE);
    return done;
}

#include "loops.h"

static void put_bulk(void *argument, uint64_t count, int in_place)
{
    queue_t *queue = ((struct way *)argument)->out;
    static uint64_t buffer[BULK_BYTES / 8];

    for (uint64_t number = 0; number < count; number++) {
        uint64_t *slot = (uint64_t *)(void *)queue->bulk[number % BULK_SLOTS];

        while (!has_space(queue, number, BULK_SLOTS))
            ;
        fill_bulk(in_place ? slot : buffer, number);
        if (!in_place)
            memcpy(slot, buffer, BULK_BYTES);
        __atomic_store_n(&queue->produced, number + 1, __ATOMIC_RELEASE);
    }
}

static void get_bulk(void *argument, uint64_t count, int in_place, seen_fn seen)
{
    queue_t *queue = ((struct way *)argument)->in;
    static uint64_t buffer[BULK_BYTES / 8];

    for (uint64_t number = 0; number < count; number++) {
        const uint64_t *slot = (const uint64_t *)(void *)queue->bulk[number % BULK_SLOTS];

        while (!has_data(queue, number))
            ;
        if (!in_place)
            memcpy(buffer, slot, BULK_BYTES);
        check_bulk(in_place ? slot : buffer, number);
        __atomic_store_n(&queue->consumed, number + 1, __ATOMIC_RELEASE);
        seen(number);
    }
}

static void prepare(void *memory)
{
    memset(memory, 0, 2 * sizeof(queue_t));
}

static void *attach(void *memory, int end)
{
    static struct way ways[2];
    struct way *way = &ways[end];
    queue_t *queues = memory;

    way->out = &queues[end];
    way->in = &queues[1 - end];
    return way;
}

_Static_assert(2 * sizeof(queue_t) <= MEMORY_BYTES, "both directions fit");

const struct rival rival_plain = {
    .name = "ring by hand",
    .prepare = prepare,
    .attach = attach,
    .put = put,
    .get = get,
    .put_batches = put_batches,
    .get_batches = get_batches,
    .bounce = bounce,
    .ping = ping,
    .put_bulk = put_bulk,
    .get_bulk = get_bulk,
};
