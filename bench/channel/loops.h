/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loops around a queue of messages, compiled into the file of each rival so that what it can inline is inlined.
 * Before including this: typedef queue_t; static bool try_put(queue_t *, const struct message *) and try_get(queue_t *,
 * struct message *); and, without WITHOUT_BATCHES, static size_t put_some(queue_t *, const struct message *, size_t)
 * and get_some(queue_t *, struct message *, size_t). A way has a queue in each direction: struct way {queue_t *out,
 * *in;}.
 */
struct way {
    queue_t *out, *in;
};

/* On arm64 another thread of the core, or an emulator's other CPU, runs then. On x86 the same takes longer than the
 * wait. */
static inline void relax(void)
{
#ifdef __aarch64__
    __asm__ volatile("yield" ::: "memory");
#endif
}

static void expect(const struct message *message, uint64_t number)
{
    if (message->word[0] != number)
        die("message %llu is not what came", (unsigned long long)number);
}

static void put(void *argument, uint64_t count)
{
    struct way *way = (struct way *)argument;
    struct message message = {{0}};

    for (uint64_t number = 0; number < count; number++) {
        message.word[0] = number;
        while (!try_put(way->out, &message))
            relax();
    }
}

static void get(void *argument, uint64_t count, seen_fn seen)
{
    struct way *way = (struct way *)argument;
    struct message message;

    for (uint64_t number = 0; number < count; seen(number))
        for (const uint64_t end = next_stamp(number, count); number < end; number++) {
            while (!try_get(way->in, &message))
                relax();
            expect(&message, number);
        }
}

#ifndef WITHOUT_BATCHES
/* Of a batch only the first message is written and looked at, so that what is measured is the way and not the use. */
static void put_batches(void *argument, uint64_t count)
{
    struct way *way = (struct way *)argument;
    static struct message messages[BATCH];

    for (uint64_t number = 0; number < count; number += BATCH) {
        messages[0].word[0] = number;
        for (size_t done = 0; done < BATCH;)
            done += put_some(way->out, messages + done, BATCH - done);
    }
}

static void get_batches(void *argument, uint64_t count, seen_fn seen)
{
    struct way *way = (struct way *)argument;
    static struct message messages[BATCH];

    for (uint64_t number = 0; number < count; number += BATCH) {
        for (size_t done = 0; done < BATCH;)
            done += get_some(way->in, messages + done, BATCH - done);
        expect(&messages[0], number);
        if (number % CHUNK == 0)
            seen(number);
    }
}

#endif

static void bounce(void *argument, uint64_t count)
{
    struct way *way = (struct way *)argument;
    struct message message;

    while (count-- > 0) {
        while (!try_get(way->in, &message))
            relax();
        while (!try_put(way->out, &message))
            relax();
    }
}

static void ping(void *argument, uint64_t number)
{
    struct way *way = (struct way *)argument;
    struct message message = {{number}};

    while (!try_put(way->out, &message))
        relax();
    while (!try_get(way->in, &message))
        relax();
    expect(&message, number);
}
