/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monotonic clock jumps forward, as it may where a VM was suspended: waits look early at most, and nothing is lost.
 * No other clock is asked for. The linker puts this file's clock_gettime() in the place of the C library's (--wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../holdings.h"
#include "../rounds.h"
#include "pair_fixture.h"

#define FOREVER CROSSVM_FOREVER
#define HOUR_S 3600
#define MESSAGES 20000u

/* --- the clock --- */

static int64_t jumped_s;
static bool other_clock;

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (clock != CLOCK_MONOTONIC)
        __atomic_store_n(&other_clock, true, __ATOMIC_RELAXED);
    if (__real_clock_gettime(clock, time))
        return -1;
    time->tv_sec += __atomic_load_n(&jumped_s, __ATOMIC_RELAXED);
    return 0;
}

static void jump(int64_t seconds)
{
    __atomic_add_fetch(&jumped_s, seconds, __ATOMIC_RELAXED);
}

/* --- one that waits --- */

struct waiter {
    struct both both;
    crossvm_deadline_t deadline;
    pthread_t thread;
    pid_t task;
    ptrdiff_t result;
};

static void *receive(void *argument)
{
    struct waiter *waiter = argument;
    char byte;

    __atomic_store_n(&waiter->task, gettid(), __ATOMIC_RELEASE);
    waiter->result = crossvm_channel_recv(waiter->both.channel[1], &byte, 1, waiter->deadline);
    return NULL;
}

static void *wait_for_event(void *argument)
{
    struct waiter *waiter = argument;

    __atomic_store_n(&waiter->task, gettid(), __ATOMIC_RELEASE);
    waiter->result = crossvm_wait(waiter->both.end[1], waiter->deadline);
    return NULL;
}

static void start(struct waiter *waiter, void *(*run)(void *), crossvm_deadline_t deadline)
{
    waiter->deadline = deadline;
    waiter->task = 0;
    assert_int_equal(pthread_create(&waiter->thread, NULL, run, waiter), 0);
    while (__atomic_load_n(&waiter->task, __ATOMIC_ACQUIRE) == 0)
        usleep(100);
    holdings_await_state(waiter->task, 'S');
}

static void expect(struct waiter *waiter, ptrdiff_t result)
{
    assert_int_equal(pthread_join(waiter->thread, NULL), 0);
    assert_int_equal(waiter->result, result);
}

/* What comes before anybody looks at the clock counts, even if the deadline is over by then. */
static void what_comes_counts(void **state)
{
    struct waiter waiter = {.both = pair_both(CROSSVM_CHANNEL_STREAM)};

    (void)state;
    for (int forever = 0; forever < 2; forever++) {
        start(&waiter, receive, forever ? FOREVER : crossvm_deadline_after_ms(HOUR_S * 1000));
        jump(24 * HOUR_S);
        assert_int_equal(crossvm_channel_send(waiter.both.channel[0], "x", 1, FOREVER), 1);
        expect(&waiter, 1);
    }
    /* A deadline that is over is over, at the next look. */
    start(&waiter, receive, crossvm_deadline_after_ms(HOUR_S * 1000));
    jump(24 * HOUR_S);
    assert_int_equal(crossvm_emit(waiter.both.end[0]), 0);
    expect(&waiter, -ETIMEDOUT);
    pair_close(&waiter.both);
}

static void events_count(void **state)
{
    struct waiter waiter = {.both = {.end = {pair_open(0), pair_open(1)}}};

    (void)state;
    (void)crossvm_wait(waiter.both.end[1], CROSSVM_NOW); /* of the peer's coming */
    for (int forever = 0; forever < 2; forever++) {
        start(&waiter, wait_for_event, forever ? FOREVER : crossvm_deadline_after_ms(HOUR_S * 1000));
        jump(24 * HOUR_S);
        assert_int_equal(crossvm_emit(waiter.both.end[0]), 0);
        expect(&waiter, 1);
    }
    crossvm_close(waiter.both.end[0]);
    crossvm_close(waiter.both.end[1]);
}

/* --- traffic --- */

static bool jumps;

static void *jump_again_and_again(void *argument)
{
    (void)argument;
    while (__atomic_load_n(&jumps, __ATOMIC_RELAXED)) {
        jump(rand() % HOUR_S);
        usleep(200);
    }
    return NULL;
}

static void *send_all(void *argument)
{
    crossvm_channel_t *channel = argument;
    ptrdiff_t sent = sizeof(uint32_t);

    for (uint32_t i = 0; i < MESSAGES && sent == sizeof(i); i++) {
        if (i % 500 == 0)
            usleep(1000); /* time for the other end to fall asleep; if it does not, a wake-up less is tried */
        sent = crossvm_channel_send(channel, &i, sizeof(i), FOREVER);
    }
    return sent == sizeof(uint32_t) ? NULL : channel;
}

static void traffic_goes_on(void **state)
{
    static const unsigned int modes[] = {CROSSVM_CHANNEL_STREAM, CROSSVM_CHANNEL_DATAGRAM};
    pthread_t jumper, senders[2];
    void *failed;

    (void)state;
    rounds_seed();
    jumps = true;
    assert_int_equal(pthread_create(&jumper, NULL, jump_again_and_again, NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        struct both both = pair_both(modes[i]);

        for (int end = 0; end < 2; end++)
            assert_int_equal(pthread_create(&senders[end], NULL, send_all, both.channel[end]), 0);
        for (uint32_t n = 0; n < MESSAGES; n++) {
            for (int end = 0; end < 2; end++) {
                uint32_t number;

                assert_int_equal(crossvm_channel_recv(both.channel[end], &number, sizeof(number), FOREVER),
                                 sizeof(number));
                assert_int_equal(number, n);
            }
        }
        for (int end = 0; end < 2; end++) {
            assert_int_equal(pthread_join(senders[end], &failed), 0);
            assert_null(failed);
        }
        pair_close(&both);
    }
    __atomic_store_n(&jumps, false, __ATOMIC_RELAXED);
    assert_int_equal(pthread_join(jumper, NULL), 0);
}

static void no_other_clock_is_asked(void **state)
{
    (void)state;
    assert_false(other_clock);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(what_comes_counts),
        pair_case(events_count),
        pair_case(traffic_goes_on),
        cmocka_unit_test(no_other_clock_is_asked),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_clock TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
