/* SPDX-License-Identifier: BSD-2-Clause */
/* iceoryx: a publisher and a subscriber in each direction, whose messages its daemon's memory holds. Both ends spin. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <iceoryx_binding_c/enums.h>
#include <iceoryx_binding_c/log.h>
#include <iceoryx_binding_c/publisher.h>
#include <iceoryx_binding_c/runtime.h>
#include <iceoryx_binding_c/subscriber.h>

#include "rival.h"

#define SLOTS 256     /* the most that a subscriber may have */
#define BULK_SLOTS 32 /* the daemon has no room for many more of these */

typedef struct queue {
    iox_pub_storage_t publisher_memory;
    iox_sub_storage_t subscriber_memory;
    iox_pub_t publisher;
    iox_sub_t subscriber;
} queue_t;

static unsigned int session; /* names a pair of ends: what an older pair left is not taken for it */

/* Waits for a chunk: there are enough for all slots. */
static void *loan(queue_t *queue, uint32_t bytes)
{
    void *room;

    if (iox_pub_loan_chunk(queue->publisher, &room, bytes) != AllocationResult_SUCCESS)
        die("iceoryx has no chunk of %u bytes", bytes);
    return room;
}

static const void *try_take(queue_t *queue)
{
    const void *chunk;
    const enum iox_ChunkReceiveResult result = iox_sub_take_chunk(queue->subscriber, &chunk);

    if (result == ChunkReceiveResult_SUCCESS)
        return chunk;
    if (result != ChunkReceiveResult_NO_CHUNK_AVAILABLE)
        die("iceoryx gives no chunk: %d", (int)result);
    return NULL;
}

/* Publishing waits while the subscriber's queue is full. */
static bool try_put(queue_t *queue, const struct message *message)
{
    struct message *room = loan(queue, sizeof(*message));

    *room = *message;
    iox_pub_publish_chunk(queue->publisher, room);
    return true;
}

static bool try_get(queue_t *queue, struct message *message)
{
    const struct message *chunk = try_take(queue);

    if (!chunk)
        return false;
    *message = *chunk;
    iox_sub_release_chunk(queue->subscriber, chunk);
    return true;
}

#define WITHOUT_BATCHES
#include "loops.h"

static void put_bulk(void *argument, uint64_t count, int in_place)
{
    queue_t *queue = ((struct way *)argument)->out;
    static uint64_t buffer[BULK_BYTES / 8];

    for (uint64_t number = 0; number < count; number++) {
        void *room = loan(queue, BULK_BYTES);

        fill_bulk(in_place ? room : buffer, number);
        if (!in_place)
            memcpy(room, buffer, BULK_BYTES);
        iox_pub_publish_chunk(queue->publisher, room);
    }
}

static void get_bulk(void *argument, uint64_t count, int in_place, seen_fn seen)
{
    queue_t *queue = ((struct way *)argument)->in;
    static uint64_t buffer[BULK_BYTES / 8];

    for (uint64_t number = 0; number < count; number++) {
        const void *chunk;

        while (!(chunk = try_take(queue)))
            ;
        if (!in_place)
            memcpy(buffer, chunk, BULK_BYTES);
        check_bulk(in_place ? chunk : buffer, number);
        iox_sub_release_chunk(queue->subscriber, chunk);
        seen(number);
    }
}

/* Starts the daemon, which ends with this process. Ends wait until it answers. */
static void prepare(void *memory)
{
    static pid_t daemon;

    (void)memory;
    session++;
    if (daemon > 0)
        return;
    daemon = fork();
    if (daemon < 0)
        die("cannot fork: %s", strerror(errno));
    if (daemon == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(1);
        execlp("iox-roudi", "iox-roudi", "--monitoring-mode", "off", "--log-level", "off", (char *)NULL);
        _exit(1);
    }
}

static void *attach_with(int end, uint64_t slots)
{
    static struct way ways[2];
    static queue_t queues[2];
    queue_t *queue = &queues[end];
    iox_pub_options_t publish;
    iox_sub_options_t subscribe;
    char name[64], pair[32];

    if (queue->publisher)
        return &ways[end];
    (void)snprintf(name, sizeof(name), "channel_bench_%d", (int)getpid());
    iox_set_loglevel(Iceoryx_LogLevel_Off);
    iox_runtime_init(name);
    iox_pub_options_init(&publish);
    publish.subscriberTooSlowPolicy = ConsumerTooSlowPolicy_WAIT_FOR_CONSUMER;
    iox_sub_options_init(&subscribe);
    subscribe.queueCapacity = slots;
    subscribe.queueFullPolicy = QueueFullPolicy_BLOCK_PRODUCER;
    (void)snprintf(pair, sizeof(pair), "%u", session);
    queue->publisher = iox_pub_init(&queue->publisher_memory, "crossvm", pair, end == 0 ? "0" : "1", &publish);
    queue->subscriber = iox_sub_init(&queue->subscriber_memory, "crossvm", pair, end == 0 ? "1" : "0", &subscribe);
    ways[end].out = ways[end].in = queue;
    return &ways[end];
}

static void *attach(void *memory, int end)
{
    (void)memory;
    return attach_with(end, SLOTS);
}

static void *attach_bulk(void *memory, int end)
{
    (void)memory;
    return attach_with(end, BULK_SLOTS);
}

/* What is published before somebody has subscribed is lost. */
static bool is_ready(void *argument)
{
    const queue_t *queue = ((struct way *)argument)->out;

    return iox_pub_has_subscribers(queue->publisher) &&
           iox_sub_get_subscription_state(queue->subscriber) == SubscribeState_SUBSCRIBED;
}

const struct rival rival_iceoryx = {
    .name = "iceoryx",
    .is_slow = true,
    .prepare = prepare,
    .attach = attach,
    .is_ready = is_ready,
    .put = put,
    .get = get,
    .bounce = bounce,
    .ping = ping,
};

const struct rival rival_iceoryx_bulk = {
    .name = "iceoryx",
    .is_slow = true,
    .prepare = prepare,
    .attach = attach_bulk,
    .is_ready = is_ready,
    .put_bulk = put_bulk,
    .get_bulk = get_bulk,
};
