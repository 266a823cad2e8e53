/* SPDX-License-Identifier: BSD-2-Clause */
/* This project's channel: copying, in place, and with a receiver that wants a fence for each message. */
#include <limits.h>
#include <string.h>

#include <crossvm/channel.h>

#include "rival.h"

#define FOREVER CROSSVM_FOREVER
#define SMALL (256 << 10) /* a ring for as many messages as the rivals have slots: a larger one would only flatter */

/* Nobody sleeps here: both ends spin. */
static int emit(void *cookie)
{
    (void)cookie;
    return 0;
}

static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie;
    (void)deadline;
    return limit_us > 0 ? -11 : 0; /* -EAGAIN */
}

static crossvm_channel_t channels[2];

static void prepare(void *memory)
{
    memset(memory, 0, MEMORY_BYTES);
    memset(channels, 0, sizeof(channels));
}

/* The first time, opens an end; each time, lets it take a step towards the other. */
static void *attach_with(void *memory, int end, unsigned flags, size_t size)
{
    crossvm_channel_t *channel = &channels[end];
    const crossvm_channel_config_t config = {
        .memory = memory,
        .size = size,
        .end = CROSSVM_CHANNEL_END((unsigned int)end),
        .mode = CROSSVM_CHANNEL_DATAGRAM,
        .flags = flags,
        .spin = INT_MAX,
        .emit = emit,
        .wait = wait_for_event,
    };

    if (!channel->config.memory) {
        if (crossvm_channel_init(channel, &config) < 0)
            die("the channel is refused");
        crossvm_channel_open(channel);
    }
    (void)crossvm_channel_connect(channel, CROSSVM_NOW);
    return channel;
}

static void *attach(void *memory, int end)
{
    return attach_with(memory, end, CROSSVM_CHANNEL_RELAXED, SMALL);
}

static void *attach_strict(void *memory, int end)
{
    return attach_with(memory, end, 0, SMALL);
}

static void *attach_bulk(void *memory, int end)
{
    return attach_with(memory, end, CROSSVM_CHANNEL_RELAXED, MEMORY_BYTES / 4);
}

static void expect(const uint64_t *words, ptrdiff_t length, uint64_t number)
{
    if (length != (ptrdiff_t)sizeof(struct message) || words[0] != number)
        die("message %llu is not what came (%td)", (unsigned long long)number, length);
}

static void put(void *way, uint64_t count)
{
    crossvm_channel_t *channel = way;
    struct message message = {{0}};

    for (uint64_t number = 0; number < count; number++) {
        message.word[0] = number;
        if (crossvm_channel_send(channel, &message, sizeof(message), FOREVER) < 0)
            die("cannot send");
    }
}

static void get(void *way, uint64_t count, seen_fn seen)
{
    crossvm_channel_t *channel = way;
    struct message message;

    for (uint64_t number = 0; number < count; seen(number))
        for (const uint64_t end = next_stamp(number, count); number < end; number++)
            expect(message.word, crossvm_channel_recv(channel, &message, sizeof(message), FOREVER), number);
}

static void put_in_place(void *way, uint64_t count)
{
    crossvm_channel_t *channel = way;

    for (uint64_t number = 0; number < count; number++) {
        void *room;
        uint64_t *words;

        if (crossvm_channel_reserve(channel, &room, sizeof(struct message), FOREVER) < 0)
            die("cannot reserve");
        words = room;
        for (int i = 0; i < MESSAGE_WORDS; i++)
            words[i] = number;
        (void)crossvm_channel_commit(channel, sizeof(struct message));
    }
}

static void get_in_place(void *way, uint64_t count, seen_fn seen)
{
    crossvm_channel_t *channel = way;

    for (uint64_t number = 0; number < count; seen(number))
        for (const uint64_t end = next_stamp(number, count); number < end; number++) {
            const void *shown;
            const ptrdiff_t length = crossvm_channel_peek(channel, &shown, FOREVER);

            expect(shown, length, number);
            (void)crossvm_channel_release(channel, sizeof(struct message));
        }
}

static void put_batches(void *way, uint64_t count)
{
    static struct message messages[BATCH];

    for (uint64_t number = 0; number < count; number += BATCH) {
        messages[0].word[0] = number;
        if (crossvm_channel_send_many(way, messages, sizeof(messages[0]), BATCH, FOREVER) != BATCH)
            die("cannot send a batch");
    }
}

static void get_batches(void *way, uint64_t count, seen_fn seen)
{
    static struct message messages[BATCH];

    for (uint64_t number = 0; number < count; number += BATCH) {
        for (ptrdiff_t done = 0; done < BATCH;) {
            const ptrdiff_t some = crossvm_channel_recv_many(way, messages + done, sizeof(messages[0]), NULL,
                                                             (size_t)(BATCH - done), FOREVER);

            if (some <= 0)
                die("cannot receive a batch");
            done += some;
        }
        expect(messages[0].word, sizeof(messages[0]), number);
        if (number % CHUNK == 0)
            seen(number);
    }
}

static void bounce(void *way, uint64_t count)
{
    crossvm_channel_t *channel = way;
    struct message message;

    while (count-- > 0)
        if (crossvm_channel_recv(channel, &message, sizeof(message), FOREVER) < 0 ||
            crossvm_channel_send(channel, &message, sizeof(message), FOREVER) < 0)
            die("cannot bounce");
}

static void ping(void *way, uint64_t number)
{
    crossvm_channel_t *channel = way;
    struct message message = {{number}};

    if (crossvm_channel_send(channel, &message, sizeof(message), FOREVER) < 0)
        die("cannot send");
    expect(message.word, crossvm_channel_recv(channel, &message, sizeof(message), FOREVER), number);
}

static void put_bulk(void *way, uint64_t count, int in_place)
{
    crossvm_channel_t *channel = way;
    static uint64_t buffer[BULK_BYTES / 8];

    for (uint64_t number = 0; number < count; number++) {
        void *room = buffer;

        if (in_place && crossvm_channel_reserve(channel, &room, BULK_BYTES, FOREVER) < 0)
            die("cannot reserve");
        fill_bulk(room, number);
        if ((in_place ? crossvm_channel_commit(channel, BULK_BYTES)
                      : crossvm_channel_send(channel, buffer, BULK_BYTES, FOREVER)) < 0)
            die("cannot send");
    }
}

static void get_bulk(void *way, uint64_t count, int in_place, seen_fn seen)
{
    crossvm_channel_t *channel = way;
    static uint64_t buffer[BULK_BYTES / 8];

    for (uint64_t number = 0; number < count; number++) {
        const void *shown = buffer;
        const ptrdiff_t length = in_place ? crossvm_channel_peek(channel, &shown, FOREVER)
                                          : crossvm_channel_recv(channel, buffer, BULK_BYTES, FOREVER);

        if (length != BULK_BYTES)
            die("bulk message %llu did not come", (unsigned long long)number);
        check_bulk(shown, number);
        if (in_place)
            (void)crossvm_channel_release(channel, BULK_BYTES);
        seen(number);
    }
}

const struct rival rival_channel = {
    .name = "channel",
    .prepare = prepare,
    .attach = attach,
    .put = put,
    .get = get,
    .put_batches = put_batches,
    .get_batches = get_batches,
    .bounce = bounce,
    .ping = ping,
};

const struct rival rival_channel_in_place = {
    .name = "channel, in place",
    .prepare = prepare,
    .attach = attach,
    .put = put_in_place,
    .get = get_in_place,
};

const struct rival rival_channel_strict = {
    .name = "channel, strict",
    .prepare = prepare,
    .attach = attach_strict,
    .put = put,
    .get = get,
    .put_batches = put_batches,
    .get_batches = get_batches,
    .bounce = bounce,
    .ping = ping,
};

const struct rival rival_channel_bulk = {
    .name = "channel of 4 MiB",
    .prepare = prepare,
    .attach = attach_bulk,
    .put_bulk = put_bulk,
    .get_bulk = get_bulk,
};
