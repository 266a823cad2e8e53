/* SPDX-License-Identifier: BSD-2-Clause */
/* Concurrency Kit's ring, messages by value. */
#include <stdbool.h>
#include <string.h>

#include <ck_ring.h>

#include "rival.h"

#define SLOTS 2048

typedef struct queue {
    ck_ring_t ring;
    _Alignas(128) struct message slot[SLOTS];
} queue_t;

CK_RING_PROTOTYPE(messages, message)

static bool try_put(queue_t *queue, const struct message *message)
{
    return CK_RING_ENQUEUE_SPSC(messages, &queue->ring, queue->slot, (struct message *)message);
}

static bool try_get(queue_t *queue, struct message *message)
{
    return CK_RING_DEQUEUE_SPSC(messages, &queue->ring, queue->slot, message);
}

#define WITHOUT_BATCHES
#include "loops.h"

static void prepare(void *memory)
{
    queue_t *queues = memory;

    memset(memory, 0, 2 * sizeof(queue_t));
    ck_ring_init(&queues[0].ring, SLOTS);
    ck_ring_init(&queues[1].ring, SLOTS);
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

const struct rival rival_ck = {
    .name = "ck_ring",
    .prepare = prepare,
    .attach = attach,
    .put = put,
    .get = get,
    .bounce = bounce,
    .ping = ping,
};
