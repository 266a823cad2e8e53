/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hub is killed under two programs at random points, again and again, with rings that are full, empty or flow. Both
 * programs hear of it, what was sent before is received, and both work with the next hub; nothing is left of the one
 * before. The tool is the argument; CROSSVM_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../holdings.h"
#include "../rounds.h"
#include "pair_fixture.h"

#define FOREVER CROSSVM_FOREVER
#define NOW CROSSVM_NOW

enum ring { RING_FLOWS, RING_FULL, RING_EMPTY, NUM_RINGS };

/* A thread that plays a program at an end of the channel. */
struct side {
    crossvm_channel_t *channel;
    pthread_t thread;
    pid_t task;        /* of the thread; 0: it has not begun */
    uint64_t sent;     /* bytes, as its calls returned */
    uint64_t received; /* bytes */
    ptrdiff_t error;   /* that ended it */
    bool spoiled;      /* what it received is not what was sent */
};

/* The byte that is sent in a place of the stream. */
static uint8_t byte_at(uint64_t place)
{
    return (uint8_t)(place * 167 >> 3);
}

static void *send_for_ever(void *argument)
{
    struct side *side = argument;
    uint8_t bytes[512];

    __atomic_store_n(&side->task, gettid(), __ATOMIC_RELEASE);
    for (;;) {
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = byte_at(side->sent + i);
        side->error = crossvm_channel_send(side->channel, bytes, sizeof(bytes), FOREVER);
        if (side->error <= 0)
            return NULL;
        __atomic_add_fetch(&side->sent, (uint64_t)side->error, __ATOMIC_RELEASE);
    }
}

static void *receive_to_the_end(void *argument)
{
    struct side *side = argument;
    uint8_t bytes[4096];

    __atomic_store_n(&side->task, gettid(), __ATOMIC_RELEASE);
    for (;;) {
        side->error = crossvm_channel_recv(side->channel, bytes, sizeof(bytes), FOREVER);
        if (side->error <= 0)
            return NULL;
        for (ptrdiff_t i = 0; i < side->error; i++)
            side->spoiled = side->spoiled || bytes[i] != byte_at(side->received + (uint64_t)i);
        __atomic_add_fetch(&side->received, (uint64_t)side->error, __ATOMIC_RELEASE);
    }
}

static void start(struct side *side, void *(*run)(void *))
{
    assert_int_equal(pthread_create(&side->thread, NULL, run, side), 0);
}

static void await_sleep(const struct side *side)
{
    while (__atomic_load_n(&side->task, __ATOMIC_ACQUIRE) == 0)
        usleep(100);
    holdings_await_state(side->task, 'S');
}

static void await_first(const struct side *side)
{
    while (__atomic_load_n(&side->received, __ATOMIC_ACQUIRE) == 0)
        usleep(100);
}

/* The sender may have had something to say to a peer that has heard of the end already: so not all need have come. */
static void play_round(enum ring ring, unsigned int mode, int sender, unsigned int delay_us)
{
    struct both both = pair_both(mode);
    struct side from = {.channel = both.channel[sender]}, to = {.channel = both.channel[1 - sender]};
    uint64_t before;

    if (ring == RING_EMPTY)
        start(&from, receive_to_the_end);
    else
        start(&from, send_for_ever);
    if (ring != RING_FULL)
        start(&to, receive_to_the_end);
    if (ring == RING_FLOWS)
        await_first(&to);
    else
        await_sleep(&from);
    if (ring == RING_EMPTY)
        await_sleep(&to);
    usleep(delay_us);
    before = __atomic_load_n(&from.sent, __ATOMIC_ACQUIRE);
    pair_kill_server();
    assert_int_equal(pthread_join(from.thread, NULL), 0);
    assert_int_equal(from.error, -EPIPE);
    if (ring == RING_FULL)
        (void)receive_to_the_end(&to);
    else
        assert_int_equal(pthread_join(to.thread, NULL), 0);
    assert_int_equal(to.error, -EPIPE);
    assert_false(to.spoiled);
    assert_in_range(to.received, before, from.sent);
    pair_close(&both);
}

static void check_next(unsigned int mode)
{
    struct both both = pair_both(mode);
    char text[8];

    for (int i = 0; i < 2; i++) {
        assert_int_equal(crossvm_channel_send(both.channel[i], "next", 4, NOW), 4);
        assert_int_equal(crossvm_channel_recv(both.channel[1 - i], text, sizeof(text), FOREVER), 4);
        assert_memory_equal(text, "next", 4);
    }
    pair_close(&both);
}

static void hub_killed_at_random(void **state)
{
    static const unsigned int modes[] = {CROSSVM_CHANNEL_STREAM, CROSSVM_CHANNEL_DATAGRAM};
    unsigned int rounds = rounds_choose(12, 300);
    struct holdings own = holdings_of(getpid());

    (void)state;
    rounds_seed();
    for (unsigned int i = 0; i < rounds; i++) {
        unsigned int mode = modes[i / NUM_RINGS % 2];

        play_round((enum ring)(i % NUM_RINGS), mode, rand() % 2, (unsigned int)rand() % 4000);
        pair_start_server();
        check_next(mode);
        assert_int_equal(holdings_of(getpid()).descriptors, own.descriptors);
        assert_int_equal(holdings_of(getpid()).mappings, own.mappings);
    }
    printf("%u hubs killed\n", rounds);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(hub_killed_at_random),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_hub_kills TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
