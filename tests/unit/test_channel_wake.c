/* SPDX-License-Identifier: BSD-2-Clause */
/* Sleeping and waking: when a channel emits, and when not. tests/model has the orders of memory accesses. */
#include <errno.h>
#include <string.h>

#include "../../src/channel/internal.h"
#include "channel_fixture.h"

static void nobody_emits_while_nobody_sleeps(void **state)
{
    struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_DATAGRAM);
    uint64_t word = 0;

    for (int i = 0; i < 10000; i++) {
        assert_int_equal(crossvm_channel_send(&pair->end[0].channel, &word, 8, NOW), 8);
        if (i % 10 == 0)
            assert_int_equal(crossvm_channel_send(&pair->end[0].channel, &word, 8, NOW), 8);
        while (i % 10 == 9 && crossvm_channel_recv(&pair->end[1].channel, &word, 8, NOW) == 8)
            ;
    }
    assert_int_equal(pair->end[0].emits, 0);
    assert_int_equal(pair->end[1].emits, 0);
    pair_free(pair);
    (void)state;
}

static void a_sleeping_receiver_is_woken_once(void **state)
{
    struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    crossvm_channel_sleep_t sleep = {.limit_us = 1};

    for (int sleeps = 1; sleeps <= 5; sleeps++) {
        char byte = 0;

        assert_int_equal(crossvm_channel_arm(two, CROSSVM_CHANNEL_IN, &sleep), 0);
        assert_int_equal(sleep.limit_us, 0);
        for (int i = 0; i < 10; i++)
            assert_int_equal(crossvm_channel_send(one, &byte, 1, NOW), 1);
        assert_int_equal(pair->end[0].emits, sleeps);
        crossvm_channel_disarm(two);
        for (int i = 0; i < 10; i++)
            assert_int_equal(crossvm_channel_recv(two, &byte, 1, NOW), 1);
        assert_int_equal(crossvm_channel_send(one, &byte, 1, NOW), 1);
        assert_int_equal(pair->end[0].emits, sleeps);
        assert_int_equal(crossvm_channel_recv(two, &byte, 1, NOW), 1);
    }
    pair_free(pair);
    (void)state;
}

static void a_sleeping_sender_is_woken_when_half_is_free(void **state)
{
    struct pair *pair = pair_connected(65536, CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    char buffer[56] = {0};
    crossvm_channel_sleep_t sleep;
    int sent = 0, taken = 0;

    while (crossvm_channel_send(one, buffer, sizeof(buffer), NOW) > 0)
        sent++;
    assert_int_equal(crossvm_channel_arm(one, CROSSVM_CHANNEL_OUT, &sleep), 0);
    for (; pair->end[0].pending == 0; taken++)
        assert_int_equal(crossvm_channel_recv(two, buffer, sizeof(buffer), NOW), sizeof(buffer));
    assert_true(taken >= sent / 2 && taken < sent * 3 / 4);
    while (crossvm_channel_recv(two, buffer, sizeof(buffer), NOW) > 0)
        ;
    assert_int_equal(pair->end[1].emits, 1);
    assert_int_equal(crossvm_channel_arm(one, CROSSVM_CHANNEL_OUT, &sleep), CROSSVM_CHANNEL_OUT);
    pair_free(pair);
    (void)state;
}

/* Takes everything without telling more than it must, and then calls no more. */
static void take_everything(struct end *end)
{
    static char buffer[65536];

    while (crossvm_channel_recv(&end->other->channel, buffer, sizeof(buffer), NOW) >= 0)
        ;
}

static void every_message_finds_space_in_the_end(void **state)
{
    static const size_t sizes[] = {4096, 8192, 65536};
    static char buffer[65536];

    for (size_t s = 0; s < 3; s++) {
        struct pair *pair = pair_connected(sizes[s], CROSSVM_CHANNEL_DATAGRAM);
        crossvm_channel_t *one = &pair->end[0].channel;
        const size_t most = crossvm_channel_max_message(one);

        pair->end[0].asleep = take_everything;
        for (size_t i = 0; i < 5000; i++) {
            const size_t length = i % 3 ? i * 97 % (most + 1) : most;

            assert_int_equal(crossvm_channel_send(one, buffer, length, FOREVER), length);
        }
        assert_int_equal(crossvm_channel_drain(one, FOREVER), 0);
        pair_free(pair);
    }
    (void)state;
}

static void wait_tells_what_is_ready(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    const unsigned both = CROSSVM_CHANNEL_IN | CROSSVM_CHANNEL_OUT;
    static char buffer[4096];
    const size_t most = crossvm_channel_max_message(one);
    crossvm_channel_sleep_t sleep;

    assert_int_equal(crossvm_channel_wait(two, both, FOREVER), CROSSVM_CHANNEL_OUT);
    assert_int_equal(crossvm_channel_wait(two, CROSSVM_CHANNEL_IN, NOW), -EAGAIN);
    assert_int_equal(crossvm_channel_wait(two, CROSSVM_CHANNEL_IN, LATER), -ETIMEDOUT);
    assert_int_equal(crossvm_channel_send(one, buffer, 100, NOW), 100);
    assert_int_equal(crossvm_channel_wait(two, both, FOREVER), both);
    assert_int_equal(crossvm_channel_arm(two, both, &sleep), both);

    /* What was refused decides what space is. */
    while (crossvm_channel_send(one, buffer, most, NOW) > 0)
        ;
    assert_int_equal(crossvm_channel_wait(one, CROSSVM_CHANNEL_OUT, NOW), -EAGAIN);
    assert_int_equal(crossvm_channel_wait(one, CROSSVM_CHANNEL_OUT, LATER), -ETIMEDOUT);
    pair->end[0].asleep = take_everything;
    assert_int_equal(crossvm_channel_wait(one, CROSSVM_CHANNEL_OUT, FOREVER), CROSSVM_CHANNEL_OUT);
    assert_int_equal(crossvm_channel_send(one, buffer, most, NOW), most);
    take_everything(&pair->end[0]);

    crossvm_channel_shutdown(one);
    assert_int_equal(crossvm_channel_wait(two, CROSSVM_CHANNEL_IN, FOREVER), CROSSVM_CHANNEL_IN);
    assert_int_equal(crossvm_channel_wait(one, CROSSVM_CHANNEL_OUT, FOREVER), CROSSVM_CHANNEL_OUT);
    pair_free(pair);
    (void)state;
}

static void wait_waits_for_a_peer_to_come_and_to_go(void **state)
{
    struct pair *pair = pair_new(4096, CROSSVM_CHANNEL_STREAM, 0);
    crossvm_channel_t *one = &pair->end[0].channel;
    crossvm_channel_sleep_t sleep;

    assert_int_equal(crossvm_channel_wait(one, CROSSVM_CHANNEL_IN, FOREVER), CROSSVM_CHANNEL_IN); /* -ENOTCONN */
    crossvm_channel_open(one);
    assert_int_equal(crossvm_channel_wait(one, CROSSVM_CHANNEL_OUT, LATER), -ETIMEDOUT);
    assert_int_equal(crossvm_channel_arm(one, CROSSVM_CHANNEL_OUT, &sleep), 0);
    pair_open(pair);
    assert_int_equal(crossvm_channel_wait(one, CROSSVM_CHANNEL_OUT, FOREVER), CROSSVM_CHANNEL_OUT);
    assert_int_equal(crossvm_channel_arm(one, CROSSVM_CHANNEL_IN, &sleep), 0);
    crossvm_channel_open(&pair->end[1].channel);
    assert_true(pair->end[0].pending > 0);
    assert_int_equal(crossvm_channel_arm(one, CROSSVM_CHANNEL_IN, &sleep), CROSSVM_CHANNEL_IN);
    pair_free(pair);
    (void)state;
}

static void busy_receiver(struct pair *pair)
{
    uint64_t word = 0;

    for (int i = 0; i < 20; i++) {
        assert_int_equal(crossvm_channel_send(&pair->end[0].channel, &word, 8, NOW), 8);
        assert_int_equal(crossvm_channel_recv(&pair->end[1].channel, &word, 8, NOW), 8);
    }
}

static void a_busy_relaxed_receiver_spares_the_sender_fences(void **state)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_DATAGRAM, CROSSVM_CHANNEL_RELAXED);
    crossvm_channel_t *two = &pair->end[1].channel;
    const uint32_t *wake = pair_word(pair, 1, CROSSVM_CHANNEL_RECV_WAKE_AT);
    char byte;

    pair_open(pair);
    assert_int_equal(*wake & CROSSVM_CHANNEL_WAKE_FLAGS, CROSSVM_CHANNEL_WAKE_FENCE);
    for (int round = 0; round < 3; round++) {
        busy_receiver(pair);
        assert_int_equal(*wake & CROSSVM_CHANNEL_WAKE_FLAGS, 0);
        /* It looks again after a while before it relies on an event. */
        pair->end[1].waits = 0;
        assert_int_equal(crossvm_channel_recv(two, &byte, 1, LATER), -ETIMEDOUT);
        assert_int_equal(pair->end[1].waits, 2);
        assert_int_equal(pair->end[1].limit_us, 0);
        assert_int_equal(*wake & CROSSVM_CHANNEL_WAKE_FLAGS, CROSSVM_CHANNEL_WAKE_FENCE);
        assert_int_equal(crossvm_channel_recv(two, &byte, 1, LATER), -ETIMEDOUT);
        assert_int_equal(pair->end[1].waits, 3);
    }
    pair_free(pair);
    (void)state;
}

static void an_early_event_does_not_end_the_limit(void **state)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_DATAGRAM, CROSSVM_CHANNEL_RELAXED);
    crossvm_channel_t *two = &pair->end[1].channel;
    crossvm_channel_sleep_t sleep;
    char byte;

    pair_open(pair);
    busy_receiver(pair);
    pair->end[1].pending = 1; /* an earlier one */
    assert_int_equal(crossvm_channel_recv(two, &byte, 1, LATER), -ETIMEDOUT);
    assert_int_equal(pair->end[1].waits, 3); /* the event, the look after a while, the rest */
    busy_receiver(pair);
    assert_int_equal(crossvm_channel_arm(two, CROSSVM_CHANNEL_IN, &sleep), 0);
    assert_true(sleep.limit_us > 0);
    assert_int_equal(crossvm_channel_arm(two, CROSSVM_CHANNEL_IN, &sleep), 0);
    assert_true(sleep.limit_us > 0); /* nobody said that the time is over */
    pair_free(pair);
    (void)state;
}

/* Callers of the public interface that sleep elsewhere: one limited sleep after each busy time, and no other. */
static void a_caller_that_slept_is_limited_no_more(void **state)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_DATAGRAM, CROSSVM_CHANNEL_RELAXED);
    crossvm_channel_t *two = &pair->end[1].channel;
    crossvm_channel_sleep_t sleep;

    pair_open(pair);
    for (int round = 0; round < 3; round++) {
        busy_receiver(pair);
        assert_int_equal(crossvm_channel_arm(two, CROSSVM_CHANNEL_IN, &sleep), 0);
        assert_int_equal(sleep.limit_us, 1000);
        crossvm_channel_disarm(two);
        crossvm_channel_slept(two, &sleep);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(crossvm_channel_arm(two, CROSSVM_CHANNEL_IN, &sleep), 0);
            assert_int_equal(sleep.limit_us, 0);
            crossvm_channel_slept(two, &sleep); /* means nothing */
        }
    }
    pair_free(pair);
    (void)state;
}

/* A sleep before the receiver was busy again says nothing of what the sender may have seen since. */
static void an_old_sleep_does_not_end_a_later_limit(void **state)
{
    struct pair *pair = pair_new(8192, CROSSVM_CHANNEL_DATAGRAM, CROSSVM_CHANNEL_RELAXED);
    crossvm_channel_t *two = &pair->end[1].channel;
    crossvm_channel_sleep_t old, sleep;
    char byte;

    pair_open(pair);
    busy_receiver(pair);
    assert_int_equal(crossvm_channel_arm(two, CROSSVM_CHANNEL_IN, &old), 0);
    busy_receiver(pair);
    pair->end[1].pending = 1;
    assert_int_equal(crossvm_channel_recv(two, &byte, 1, CROSSVM_DEADLINE(1)), -ETIMEDOUT); /* asks anew, in the call */
    busy_receiver(pair);
    assert_int_equal(crossvm_channel_arm(two, CROSSVM_CHANNEL_IN, &sleep), 0);
    assert_true(sleep.number != old.number);
    crossvm_channel_slept(two, &old);
    assert_int_equal(crossvm_channel_arm(two, CROSSVM_CHANNEL_IN, &sleep), 0);
    assert_int_equal(sleep.limit_us, 1000);
    crossvm_channel_slept(two, &sleep);
    assert_int_equal(crossvm_channel_arm(two, CROSSVM_CHANNEL_IN, &sleep), 0);
    assert_int_equal(sleep.limit_us, 0);
    pair_free(pair);
    (void)state;
}

static void a_strict_receiver_never_does(void **state)
{
    struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_DATAGRAM);

    busy_receiver(pair);
    assert_int_equal(*pair_word(pair, 1, CROSSVM_CHANNEL_RECV_WAKE_AT) & CROSSVM_CHANNEL_WAKE_FLAGS,
                     CROSSVM_CHANNEL_WAKE_FENCE);
    pair_free(pair);
    (void)state;
}

static void counts_tell_what_it_cost(void **state)
{
    struct pair *pair = pair_connected(8192, CROSSVM_CHANNEL_DATAGRAM);
    crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
    crossvm_channel_counts_t counts;
    struct {
        crossvm_channel_counts_t counts;
        uint64_t unknown;
    } larger;
    crossvm_channel_sleep_t sleep;
    char byte = 0;

    assert_int_equal(crossvm_channel_arm(two, CROSSVM_CHANNEL_IN, &sleep), 0);
    assert_int_equal(crossvm_channel_send(one, &byte, 1, NOW), 1);
    crossvm_channel_get_counts(one, &counts, sizeof(counts));
    assert_int_equal(counts.emits, 1);
    assert_int_equal(counts.sessions, 1);
    assert_int_equal(crossvm_channel_recv(two, &byte, 1, NOW), 1);
    pair->end[1].pending = 0;
    assert_int_equal(crossvm_channel_recv(two, &byte, 1, LATER), -ETIMEDOUT);
    crossvm_channel_get_counts(two, &counts, sizeof(counts));
    assert_int_equal(counts.waits, 1);

    /* Callers of another version have a smaller or a larger structure. */
    memset(&larger, 0xff, sizeof(larger));
    crossvm_channel_get_counts(one, &larger.counts, sizeof(counts.emits));
    assert_int_equal(larger.counts.emits, 1);
    assert_int_equal(larger.counts.waits, UINT64_MAX);
    crossvm_channel_get_counts(one, &larger.counts, sizeof(larger));
    assert_int_equal(larger.counts.sessions, 1);
    assert_int_equal(larger.unknown, 0);
    pair_free(pair);
    (void)state;
}

/* Regression: both would have waited for ever, the sender for space and the receiver for what it was not told of. */
static void waiting_for_space_tells_of_what_is_committed(void **state)
{
    for (int how = 0; how < 2; how++) {
        struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_DATAGRAM);
        crossvm_channel_t *one = &pair->end[0].channel, *two = &pair->end[1].channel;
        crossvm_channel_sleep_t sleep;
        char buffer[200];
        void *room;

        assert_true(crossvm_channel_reserve(one, &room, sizeof(buffer), NOW) > 0);
        assert_int_equal(crossvm_channel_commit_more(one, sizeof(buffer)), 0);
        assert_int_equal(crossvm_channel_recv(two, buffer, sizeof(buffer), NOW), -EAGAIN);
        if (how == 0)
            assert_int_equal(crossvm_channel_wait(one, CROSSVM_CHANNEL_OUT, NOW), CROSSVM_CHANNEL_OUT);
        else
            assert_int_equal(crossvm_channel_arm(one, CROSSVM_CHANNEL_OUT, &sleep), CROSSVM_CHANNEL_OUT);
        assert_int_equal(crossvm_channel_recv(two, buffer, sizeof(buffer), NOW), sizeof(buffer));
        pair_free(pair);
    }
    (void)state;
}

/* A spin that found nothing several times is left out, and tried again now and then. */
static void spins_that_fail_become_rare(void **state)
{
    struct pair *pair = pair_connected(4096, CROSSVM_CHANNEL_STREAM);
    crossvm_channel_t *channel = &pair->end[0].channel;

    channel->config.spin = 1000;
    for (unsigned int failed = 0; failed < 200; failed++)
        assert_int_equal(cvm_channel_looks(channel, failed), failed < 4 || failed % 32 == 0 ? 1000 : 0);
    pair_free(pair);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spins_that_fail_become_rare),
        cmocka_unit_test(nobody_emits_while_nobody_sleeps),
        cmocka_unit_test(a_sleeping_receiver_is_woken_once),
        cmocka_unit_test(a_sleeping_sender_is_woken_when_half_is_free),
        cmocka_unit_test(every_message_finds_space_in_the_end),
        cmocka_unit_test(wait_tells_what_is_ready),
        cmocka_unit_test(wait_waits_for_a_peer_to_come_and_to_go),
        cmocka_unit_test(a_busy_relaxed_receiver_spares_the_sender_fences),
        cmocka_unit_test(an_early_event_does_not_end_the_limit),
        cmocka_unit_test(a_caller_that_slept_is_limited_no_more),
        cmocka_unit_test(an_old_sleep_does_not_end_a_later_limit),
        cmocka_unit_test(a_strict_receiver_never_does),
        cmocka_unit_test(counts_tell_what_it_cost),
        cmocka_unit_test(waiting_for_space_tells_of_what_is_committed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
