/* SPDX-License-Identifier: BSD-2-Clause */
/* What an observer finds out of a channel's memory: every message where it can, an estimate where not, and no harm. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/channel_layout.h>

#include "../../src/top/channel_watch.h"
#include "channel_fixture.h"

#define SIZE 65536
#define MS 1000000

static int64_t clock_ns = 1;

static void look(struct channel_watch *watch)
{
    clock_ns += CHANNEL_WATCH_MS * (int64_t)MS;
    channel_watch_look(watch, clock_ns);
}

/* A watch of a pair that looks from now on. */
static struct channel_watch watch_pair(const struct pair *pair)
{
    struct channel_watch watch;

    channel_watch_begin(&watch, pair->memory, pair->size);
    look(&watch);
    return watch;
}

static void send(struct pair *pair, unsigned int from, size_t length)
{
    static uint8_t bytes[SIZE];

    assert_int_equal(crossvm_channel_send(&pair->end[from].channel, bytes, length, NOW), length);
}

static void receive(struct pair *pair, unsigned int to, size_t length)
{
    static uint8_t bytes[SIZE];

    assert_int_equal(crossvm_channel_recv(&pair->end[to].channel, bytes, sizeof(bytes), NOW), length);
}

static double messages(const struct channel_watch *watch, unsigned int from)
{
    return (double)watch->flows[from].messages_counted + watch->flows[from].messages_estimated;
}

static bool is_near(double number, double expected)
{
    return number > expected * 0.99 && number < expected * 1.01;
}

static void states_are_told_apart(void **state)
{
    struct pair *pair = pair_new(SIZE, CROSSVM_CHANNEL_STREAM, 0);
    struct channel_watch watch = watch_pair(pair);

    (void)state;
    assert_int_equal(watch.state, CHANNEL_WATCH_NONE);
    crossvm_channel_open(&pair->end[1].channel);
    look(&watch);
    assert_int_equal(watch.state, CHANNEL_WATCH_OPENED);
    assert_int_equal(watch.mode, CROSSVM_CHANNEL_STREAM);
    pair_open(pair);
    look(&watch);
    assert_int_equal(watch.state, CHANNEL_WATCH_SESSION);
    assert_int_equal(watch.ring_bytes, crossvm_channel_ring_bytes(&pair->end[0].channel));
    *pair_word(pair, 0, CROSSVM_CHANNEL_ACK_AT) = 0;
    look(&watch);
    assert_int_equal(watch.state, CHANNEL_WATCH_OPENED);
    *pair_word(pair, 0, CROSSVM_CHANNEL_MAGIC_AT) = 0;
    *pair_word(pair, 1, CROSSVM_CHANNEL_VERSION_AT) += 0x10000;
    look(&watch);
    assert_int_equal(watch.state, CHANNEL_WATCH_NONE);
    pair_free(pair);
}

static void every_datagram_is_counted(void **state)
{
    struct pair *pair = pair_connected(SIZE, CROSSVM_CHANNEL_DATAGRAM);
    struct channel_watch watch;
    unsigned int sent = 5;

    (void)state;
    for (unsigned int i = 0; i < sent; i++) /* nobody looks yet */
        send(pair, 0, i);
    watch = watch_pair(pair);
    assert_int_equal(watch.flows[0].messages_counted, 0);
    for (unsigned int round = 1; round < 30; round++) {
        for (unsigned int i = 0; i < round; i++)
            send(pair, 0, i % 20);
        look(&watch);
        sent += round;
        assert_int_equal(watch.flows[0].messages_counted, sent - 5);
    }
    assert_true(watch.flows[0].knows_messages);
    assert_true(watch.flows[0].messages_estimated == 0);
    assert_int_equal(watch.flows[1].messages_counted, 0);
    assert_int_equal(watch.flows[0].fill, *pair_word(pair, 0, CROSSVM_CHANNEL_PRODUCED_AT));
    assert_int_equal(watch.flows[1].fill, 0);
    pair_free(pair);
}

static void datagrams_of_batches_are_counted(void **state)
{
    struct pair *pair = pair_connected(SIZE, CROSSVM_CHANNEL_DATAGRAM);
    struct channel_watch watch = watch_pair(pair);
    static uint8_t bytes[100 * 64];

    (void)state;
    assert_int_equal(crossvm_channel_send_many(&pair->end[1].channel, bytes, 64, 100, NOW), 100);
    send(pair, 1, 3);
    look(&watch);
    assert_int_equal(watch.flows[1].messages_counted, 101);
    assert_true(watch.flows[1].messages_estimated == 0);
    pair_free(pair);
}

/* Each round through the ring ends with bytes that are skipped, and that nobody can look at any more. */
static void rounds_through_the_ring_are_followed(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_DATAGRAM);
    struct channel_watch watch = watch_pair(pair);
    uint32_t before = 0;

    (void)state;
    for (unsigned int i = 0; i < 10000; i++) {
        send(pair, 0, 40);
        receive(pair, 1, 40);
        look(&watch);
        assert_int_equal(watch.flows[0].bytes - before, i > 0 && i % 34 == 0 ? 1664 % 48 + 48 : 48);
        before = (uint32_t)watch.flows[0].bytes;
    }
    assert_int_equal(watch.flows[0].messages_counted, 10000);
    assert_true(is_near(messages(&watch, 0), 10000 + 10000 / 34 * 32 / 48));
    pair_free(pair);
}

static void many_are_estimated_by_their_bytes(void **state)
{
    struct pair *pair = pair_connected(SIZE, CROSSVM_CHANNEL_DATAGRAM);
    struct channel_watch watch = watch_pair(pair);

    (void)state;
    for (unsigned int round = 0; round < 100; round++) {
        for (unsigned int i = 0; i < 10000; i++) {
            send(pair, 0, 24 + 64 * (i % 2));
            receive(pair, 1, 24 + 64 * (i % 2));
        }
        look(&watch);
    }
    assert_true(watch.flows[0].messages_estimated > 0);
    assert_true(is_near(messages(&watch, 0), 1e6));
    pair_free(pair);
}

/* reserve() gives out the start of the ring, where there are records that nobody has looked at yet. */
static void a_reservation_at_the_start_of_the_ring_is_no_record(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_DATAGRAM);
    struct channel_watch watch = watch_pair(pair);
    void *data;

    (void)state;
    for (unsigned int i = 0; i < 30; i++) {
        send(pair, 0, 40);
        receive(pair, 1, 40);
    }
    assert_int_equal(crossvm_channel_reserve(&pair->end[0].channel, &data, 400, NOW), 400);
    memset(data, 0, 400); /* many records of no bytes, if they are taken for records */
    look(&watch);
    assert_true(messages(&watch, 0) <= 30);
    send(pair, 0, 100); /* it fits behind the others after all */
    receive(pair, 1, 100);
    look(&watch);
    assert_true(messages(&watch, 0) <= 31);
    assert_int_equal(watch.flows[0].bytes, 30 * 48 + 112);
    pair_free(pair);
}

static void an_older_sender_is_not_guessed_at(void **state)
{
    struct pair *pair = pair_connected(SIZE, CROSSVM_CHANNEL_DATAGRAM);
    struct channel_watch watch = watch_pair(pair);

    (void)state;
    *pair_word(pair, 0, CROSSVM_CHANNEL_VERSION_AT) = CROSSVM_CHANNEL_VERSION_MAJOR << 16;
    send(pair, 0, 100);
    send(pair, 1, 100);
    look(&watch);
    assert_false(watch.flows[0].knows_messages);
    assert_int_equal(watch.flows[0].bytes, 112);
    assert_true(watch.flows[1].knows_messages);
    assert_int_equal(watch.flows[1].messages_counted, 1);
    pair_free(pair);
}

static void streams_have_bytes(void **state)
{
    struct pair *pair = pair_connected(SIZE, CROSSVM_CHANNEL_STREAM);
    struct channel_watch watch = watch_pair(pair);

    (void)state;
    send(pair, 0, 1000);
    receive(pair, 1, 1000);
    send(pair, 0, 10);
    look(&watch);
    assert_int_equal(watch.flows[0].bytes, 1010);
    assert_false(watch.flows[0].knows_messages);
    assert_int_equal(watch.flows[0].fill, 1010); /* the receiver has not told of its 1000 yet */
    pair_free(pair);
}

static void sleeps_are_counted(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_DATAGRAM);
    struct channel_watch watch = watch_pair(pair);
    uint8_t bytes[1000] = {0};

    (void)state;
    for (unsigned int i = 0; i < 7; i++)
        assert_int_equal(crossvm_channel_recv(&pair->end[1].channel, bytes, sizeof(bytes), LATER), -ETIMEDOUT);
    while (crossvm_channel_send(&pair->end[0].channel, bytes, 500, NOW) > 0)
        ;
    for (unsigned int i = 0; i < 3; i++)
        assert_int_equal(crossvm_channel_send(&pair->end[0].channel, bytes, 500, LATER), -ETIMEDOUT);
    look(&watch);
    assert_int_equal(watch.flows[0].waits_for_data, 7);
    assert_int_equal(watch.flows[0].waits_for_space, 3);
    assert_int_equal(watch.flows[1].waits_for_data, 0);
    assert_int_equal(watch.flows[1].waits_for_space, 0);
    pair_free(pair);
}

static void a_new_session_counts_from_its_beginning(void **state)
{
    struct pair *pair = pair_connected(SIZE, CROSSVM_CHANNEL_DATAGRAM);
    struct channel_watch watch = watch_pair(pair);

    (void)state;
    send(pair, 0, 8);
    look(&watch);
    for (unsigned int i = 0; i < 2; i++)
        crossvm_channel_close(&pair->end[i].channel);
    pair_open(pair);
    send(pair, 0, 8);
    send(pair, 0, 8);
    look(&watch);
    assert_int_equal(watch.flows[0].messages_counted, 3);
    assert_int_equal(watch.flows[0].bytes, 48);
    pair_free(pair);
}

/* The index has 32 bits: who looks too seldom cannot know. */
static void a_look_that_comes_late_says_so(void **state)
{
    struct pair *pair = pair_connected(SIZE, CROSSVM_CHANNEL_STREAM);
    struct channel_watch watch = watch_pair(pair);

    (void)state;
    *pair_word(pair, 0, CROSSVM_CHANNEL_PRODUCED_AT) = 0x40000000;
    look(&watch);
    *pair_word(pair, 0, CROSSVM_CHANNEL_PRODUCED_AT) = 0x80000000;
    look(&watch);
    assert_int_equal(watch.flows[0].bytes, 0x80000000);
    assert_false(watch.flows[0].missed_bytes);
    clock_ns += 1000 * (int64_t)MS;
    look(&watch);
    assert_true(watch.flows[0].missed_bytes);
    pair_free(pair);
}

/* Memory of which nothing makes sense, or which makes sense at first: no access goes beyond it. */
static void nonsense_does_no_harm(void **state)
{
    struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_DATAGRAM);
    struct channel_watch watch = watch_pair(pair);
    static const unsigned int words[] = {CROSSVM_CHANNEL_PRODUCED_AT, CROSSVM_CHANNEL_LAP_AT,
                                         CROSSVM_CHANNEL_CONSUMED_AT, CROSSVM_CHANNEL_SEND_WAKE_AT};
    uint32_t seed = 1;

    (void)state;
    for (unsigned int round = 0; round < 200000; round++) {
        uint32_t *word = pair_word(pair, round % 2, words[(seed >> 8) % 4]);

        seed = seed * 1664525 + 1013904223;
        *word = round % 3 ? seed >> 16 & 0x1ff8 : seed;
        ((uint32_t *)(void *)(pair->memory + CROSSVM_CHANNEL_RINGS_AT))[(seed >> 4) % 1024] =
            round % 5 ? seed >> 24 : seed;
        if (round % 1000 == 0) /* another session */
            *pair_word(pair, 0, CROSSVM_CHANNEL_GENERATION_AT) = *pair_word(pair, 1, CROSSVM_CHANNEL_ACK_AT) = seed | 1;
        look(&watch);
        assert_true(watch.flows[0].fill <= watch.ring_bytes && watch.flows[1].fill <= watch.ring_bytes);
    }
    pair_free(pair);
    channel_watch_begin(&watch, "", 1); /* too small to have one */
    look(&watch);
    assert_int_equal(watch.state, CHANNEL_WATCH_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_are_told_apart),
        cmocka_unit_test(every_datagram_is_counted),
        cmocka_unit_test(datagrams_of_batches_are_counted),
        cmocka_unit_test(rounds_through_the_ring_are_followed),
        cmocka_unit_test(many_are_estimated_by_their_bytes),
        cmocka_unit_test(a_reservation_at_the_start_of_the_ring_is_no_record),
        cmocka_unit_test(an_older_sender_is_not_guessed_at),
        cmocka_unit_test(streams_have_bytes),
        cmocka_unit_test(sleeps_are_counted),
        cmocka_unit_test(a_new_session_counts_from_its_beginning),
        cmocka_unit_test(a_look_that_comes_late_says_so),
        cmocka_unit_test(nonsense_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
