/* SPDX-License-Identifier: BSD-2-Clause */
/* The timers and looks of the hub's loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include "../../src/hub/loop.h"

#define TIMERS 1000
#define CALLS 3 /* of a timer that comes again */

static struct {
    struct hub_loop *loop;
    int stop;
    struct hub_timer timers[TIMERS], last;
    int calls[TIMERS];
    int ends;
} test;

static size_t number_of(const struct hub_timer *timer)
{
    return (size_t)(timer - test.timers);
}

static void called(struct hub_timer *timer, int64_t now)
{
    assert_true(now <= now_ms());
    assert_int_equal(timer->due_ms, NEVER_MS);
    test.calls[number_of(timer)]++;
}

/* Stops the one after it, and itself comes again. */
static void called_with_consequences(struct hub_timer *timer, int64_t now)
{
    size_t number = number_of(timer);

    called(timer, now);
    if (number + 1 < TIMERS)
        hub_timer_stop(&test.timers[number + 1]);
    if (test.calls[number] < CALLS)
        hub_timer_set(test.loop, timer, now);
}

/* Comes again as often as the others, which may all be due at its first call. */
static void end(struct hub_timer *timer, int64_t now)
{
    if (++test.ends <= CALLS)
        hub_timer_set(test.loop, timer, now);
    else
        assert_int_equal(eventfd_write(test.stop, 1), 0);
}

static int set_up(void **state)
{
    (void)state;
    test.loop = hub_loop_create();
    test.stop = eventfd(0, EFD_CLOEXEC);
    test.last = HUB_TIMER(end);
    test.ends = 0;
    for (size_t i = 0; i < TIMERS; i++) {
        test.timers[i] = HUB_TIMER(called);
        test.calls[i] = 0;
    }
    return test.loop ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    hub_loop_destroy(test.loop);
    close(test.stop);
    return 0;
}

/* Runs the loop until all that is due by then was called. */
static void run(int64_t until_ms)
{
    hub_timer_set(test.loop, &test.last, until_ms);
    assert_int_equal(hub_loop_run(test.loop, test.stop), 0);
    hub_timer_stop(&test.last);
}

/* More turns than there are sources that can be ready. */
static void take_turns(void)
{
    for (int i = 0; i < 10; i++) {
        run(now_ms());
        test.ends = 0;
        assert_int_equal(eventfd_read(test.stop, &(eventfd_t){0}), 0);
    }
}

static void each_is_called_once(void **state)
{
    int64_t now = now_ms();

    (void)state;
    for (size_t i = 0; i < TIMERS; i++)
        hub_timer_set(test.loop, &test.timers[i], now + (int64_t)(i % 3));
    for (size_t i = 0; i < TIMERS; i += 10)
        hub_timer_stop(&test.timers[i]);
    for (size_t i = 1; i < TIMERS; i += 10)
        hub_timer_set(test.loop, &test.timers[i], NEVER_MS);
    for (size_t i = 2; i < TIMERS; i += 10)
        hub_timer_set(test.loop, &test.timers[i], now + 1000000);
    run(now + 3);
    for (size_t i = 0; i < TIMERS; i++)
        assert_int_equal(test.calls[i], i % 10 > 2);
}

/* A handler may stop any timer, also one that is due, and set any. */
static void handlers_stop_and_set(void **state)
{
    int64_t now = now_ms();
    int neighbours = 0;

    (void)state;
    for (size_t i = 0; i < TIMERS; i++) {
        test.timers[i] = HUB_TIMER(called_with_consequences);
        hub_timer_set(test.loop, &test.timers[i], now);
    }
    run(now + 1);
    for (size_t i = 0; i < TIMERS; i++) {
        assert_true(test.calls[i] == 0 || test.calls[i] == CALLS || (i > 0 && test.calls[i - 1] > 0));
        neighbours += i > 0 && test.calls[i] == CALLS && test.calls[i - 1] == CALLS;
    }
    assert_int_equal(test.calls[0], CALLS);
    assert_int_equal(neighbours, 0);
}

static int looks;

static bool look_thrice(struct hub_look *look)
{
    (void)look;
    return ++looks < 3;
}

static void a_look_ends_when_it_finds_nothing(void **state)
{
    struct hub_look look = {.again = look_thrice};

    (void)state;
    looks = 0;
    hub_look_start(test.loop, &look);
    take_turns();
    assert_int_equal(looks, 3);
    assert_null(look.link);
}

/* Several entrances wait at one bell, each for what is its own. */
static void a_bell_wakes_all_who_wait(void **state)
{
    struct hub_look first = {.again = look_thrice}, second = {.again = look_thrice};
    int bell = foreign_bell_fd(hub_loop_bell(test.loop));

    (void)state;
    looks = 0;
    hub_look_when_rung(test.loop, &first);
    hub_look_when_rung(test.loop, &second);
    take_turns();
    assert_int_equal(looks, 0);
    for (int rings = 1; rings <= 2; rings++) {
        assert_int_equal(eventfd_write(bell, 1), 0);
        take_turns();
        assert_int_equal(looks, 2 * rings);
    }
    assert_int_equal(looks, 4);
    assert_null(first.link);
    assert_null(second.link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_is_called_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(handlers_stop_and_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_look_ends_when_it_finds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bell_wakes_all_who_wait, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
