/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages between a thread of the NATS library and the bridge's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../src/bridge/inbox.h"

#define SIZE 5

static void put(struct inbox *inbox, int number)
{
    natsMsg *message = NULL;

    assert_int_equal(natsMsg_Create(&message, "x", NULL, (const char *)&number, sizeof(number)), NATS_OK);
    inbox_put(inbox, message);
}

/* -1: there is none. */
static int take(struct inbox *inbox)
{
    natsMsg *message = inbox_take(inbox);
    int number = -1;

    if (message)
        memcpy(&number, natsMsg_GetData(message), sizeof(number));
    natsMsg_Destroy(message);
    return number;
}

/* How often it was written since the last question. */
static uint64_t wakes(const struct inbox *inbox)
{
    uint64_t count = 0;

    (void)!read(inbox->wake, &count, sizeof(count));
    return count;
}

static int set_up(void **state)
{
    static struct inbox inbox;

    *state = &inbox;
    return inbox_init(&inbox, SIZE, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct inbox *inbox = *state;

    inbox_clear(inbox);
    inbox_free(inbox);
    return close(inbox->wake);
}

static void gives_in_order(void **state)
{
    struct inbox *inbox = *state;

    assert_int_equal(take(inbox), -1);
    for (int i = 0; i < 20; i++) { /* round and round */
        put(inbox, 2 * i);
        put(inbox, 2 * i + 1);
        assert_int_equal(take(inbox), 2 * i);
        assert_int_equal(take(inbox), 2 * i + 1);
    }
    assert_int_equal(take(inbox), -1);
    assert_int_equal(inbox_dropped(inbox), 0);
}

static void drops_the_oldest(void **state)
{
    struct inbox *inbox = *state;

    for (int i = 0; i < SIZE + 3; i++)
        put(inbox, i);
    assert_int_equal(inbox_dropped(inbox), 3);
    assert_int_equal(inbox_dropped(inbox), 0); /* since the last question */
    for (int i = 3; i < SIZE + 3; i++)
        assert_int_equal(take(inbox), i);
    assert_int_equal(take(inbox), -1);
}

static void wakes_for_the_first(void **state)
{
    struct inbox *inbox = *state;

    assert_int_equal(wakes(inbox), 0);
    put(inbox, 1);
    put(inbox, 2);
    assert_int_equal(wakes(inbox), 1);
    assert_int_equal(take(inbox), 1);
    put(inbox, 3);
    assert_int_equal(wakes(inbox), 0); /* the bridge takes all that there are */
    assert_int_equal(take(inbox), 2);
    assert_int_equal(take(inbox), 3);
    put(inbox, 4);
    assert_int_equal(wakes(inbox), 1);
}

static void a_closed_one_stays_empty(void **state)
{
    struct inbox *inbox = *state;

    put(inbox, 1);
    inbox_close(inbox);
    assert_int_equal(take(inbox), -1);
    put(inbox, 2);
    assert_int_equal(take(inbox), -1);
    assert_int_equal(inbox_dropped(inbox), 0);
}

static int open_library(void **state)
{
    (void)state;
    return nats_Open(-1) == NATS_OK ? 0 : -1;
}

static int close_library(void **state)
{
    (void)state;
    return nats_CloseAndWait(0) == NATS_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gives_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drops_the_oldest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(wakes_for_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_closed_one_stays_empty, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("inbox", tests, open_library, close_library);
}
