/* SPDX-License-Identifier: BSD-2-Clause */
/* When a VM that ended is started again. The clock is the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/run/restart.h"

/* Plans a start after a run of that length, and gives the delay. now becomes when it starts. */
static int64_t delay_after(struct restart *restart, int64_t *now, int64_t run_ms)
{
    int64_t ended = *now + run_ms;

    restart_plan(restart, *now, ended);
    *now = restart->due_ms;
    return restart->due_ms - ended;
}

static void the_delay_doubles_up_to_a_limit(void **state)
{
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
    struct restart restart = {0};
    int64_t now = 12345;

    (void)state;
    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        assert_int_equal(delay_after(&restart, &now, 10), seconds[i] * 1000);
        assert_int_equal(restart.times, i + 1);
    }
    restart.times = UINT32_MAX - 1;
    assert_int_equal(delay_after(&restart, &now, 10), RESTART_MOST_MS);
}

static void a_good_run_begins_anew(void **state)
{
    struct restart restart = {0};
    int64_t now = 1;

    (void)state;
    for (int i = 0; i < 5; i++)
        (void)delay_after(&restart, &now, 10);
    assert_int_equal(delay_after(&restart, &now, RESTART_GOOD_RUN_MS - 1), 32000);
    assert_int_equal(delay_after(&restart, &now, RESTART_GOOD_RUN_MS), RESTART_FIRST_MS);
    assert_int_equal(restart.times, 1);
    assert_int_equal(delay_after(&restart, &now, 10), 2 * RESTART_FIRST_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_delay_doubles_up_to_a_limit),
        cmocka_unit_test(a_good_run_begins_anew),
    };

    return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
