/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the peer of a channel is still there, by news that are late, early or never come. The end is a stand-in that
 * tells what a case lets it tell, and the clock is the case's (--wrap).
 */
#include "channel_fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "../../src/lib/end.h"
#include "../../src/lib/peer_watch.h"

#define LATE_NS 20000000
#define HOUR_NS 3600000000000

static int64_t now = HOUR_NS;

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    assert_int_equal(clock, CLOCK_MONOTONIC);
    *time = (struct timespec){now / 1000000000, now % 1000000000};
    return 0;
}

/* --- the end --- */

static struct {
    uint32_t state, generation;
} news;

static uint32_t tell_peer_state(struct crossvm_end *end, uint32_t *generation)
{
    (void)end;
    *generation = news.generation;
    return news.state;
}

static const struct end_ops ops = {.peer_state = tell_peer_state};
static struct crossvm_end end = {.ops = &ops};

/* News come, and a thread that waits for events reads them. */
static void tell(uint32_t state, uint32_t generation)
{
    news.state = state;
    news.generation = generation;
    assert_true(cvm_waiters_look(&end));
}

/* --- one of the channel's ends, which watches the other --- */

struct watched {
    struct pair *pair;
    struct peer_watch watch;
};

static deadline_t look(struct watched *watched)
{
    return cvm_peer_watch(&watched->watch, &watched->pair->end[0].channel, &end);
}

/* A channel that is made while that is known of the peer, and in a session from now on. */
static void begin(struct watched *watched, uint32_t state, uint32_t generation)
{
    *watched = (struct watched){
        .pair = pair_new(4096, CROSSVM_CHANNEL_STREAM, 0),
        .watch = {.lock = PTHREAD_MUTEX_INITIALIZER, .late_ns = LATE_NS},
    };

    tell(state, generation);
    watched->watch.first = end.waiters.peer;
    pair_open(watched->pair);
    (void)look(watched);
}

static void assert_goes_on(struct watched *watched)
{
    uint8_t byte;

    assert_true(look(watched) != DEADLINE_NOW);
    assert_int_equal(crossvm_channel_recv(&watched->pair->end[0].channel, &byte, 1, NOW), -EAGAIN);
}

static void assert_over(struct watched *watched)
{
    uint8_t byte;

    assert_true(look(watched) == DEADLINE_NOW);
    assert_int_equal(crossvm_channel_recv(&watched->pair->end[0].channel, &byte, 1, NOW), -EPIPE);
}

/* --- the peer of the session --- */

static void a_peer_that_leaves(void **state)
{
    struct watched watched;

    (void)state;
    begin(&watched, CROSSVM_PEER_READY, 1);
    now += LATE_NS;
    assert_goes_on(&watched);
    tell(CROSSVM_PEER_ABSENT, 1);
    assert_over(&watched);
    pair_free(watched.pair);
}

static void a_peer_that_left_and_has_a_successor(void **state)
{
    struct watched watched;

    (void)state;
    begin(&watched, CROSSVM_PEER_READY, 1);
    now += LATE_NS;
    assert_goes_on(&watched);
    tell(CROSSVM_PEER_READY, 2);
    assert_over(&watched);
    pair_open(watched.pair); /* in a session with the successor */
    assert_goes_on(&watched);
    pair_free(watched.pair);
}

static void a_peer_that_came_and_went_between_two_looks(void **state)
{
    struct watched watched;

    (void)state;
    begin(&watched, CROSSVM_PEER_ABSENT, 1);
    tell(CROSSVM_PEER_ABSENT, 2);
    assert_true(look(&watched) == now + LATE_NS); /* unless that was its predecessor */
    assert_goes_on(&watched);
    now += LATE_NS;
    assert_over(&watched);
    pair_free(watched.pair);
}

/* --- news that are late --- */

/* The channel's memory is faster than the news of its predecessor's end and of itself. */
static void news_of_a_predecessor(void **state)
{
    struct watched watched;

    (void)state;
    begin(&watched, CROSSVM_PEER_READY, 1);
    now += LATE_NS - 1;
    tell(CROSSVM_PEER_ABSENT, 1);
    assert_goes_on(&watched);
    tell(CROSSVM_PEER_READY, 2);
    assert_goes_on(&watched);
    now += HOUR_NS;
    assert_goes_on(&watched);
    pair_free(watched.pair);
}

/* Until the first news, none may be to come. So these are of this peer, whenever they are here. */
static void the_first_news_of_a_peer(void **state)
{
    struct watched watched;

    (void)state;
    begin(&watched, CROSSVM_PEER_ABSENT, 0);
    now += HOUR_NS;
    assert_goes_on(&watched);
    tell(CROSSVM_PEER_READY, 1);
    assert_goes_on(&watched);
    tell(CROSSVM_PEER_ABSENT, 1);
    assert_over(&watched);
    pair_free(watched.pair);
}

/* --- no news --- */

static void a_peer_of_which_nobody_tells(void **state)
{
    static const uint32_t states[] = {CROSSVM_PEER_UNKNOWN, CROSSVM_PEER_ABSENT, CROSSVM_PEER_PRESENT};

    (void)state;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct watched watched;

        begin(&watched, states[i], 0);
        now += HOUR_NS;
        assert_true(look(&watched) == DEADLINE_NEVER);
        assert_goes_on(&watched);
        pair_free(watched.pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_leaves),
        cmocka_unit_test(a_peer_that_left_and_has_a_successor),
        cmocka_unit_test(a_peer_that_came_and_went_between_two_looks),
        cmocka_unit_test(news_of_a_predecessor),
        cmocka_unit_test(the_first_news_of_a_peer),
        cmocka_unit_test(a_peer_of_which_nobody_tells),
    };

    return cmocka_run_group_tests_name("libcrossvm: peer watch", tests, NULL, NULL);
}
