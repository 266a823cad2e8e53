/* SPDX-License-Identifier: BSD-2-Clause */
/* Signals to eventfds that somebody else has, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../src/common/shared_event.h"

/* Each signal counts, however many there were before. */
static void all_are_counted(void **state)
{
    int eventfd_of = eventfd(0, EFD_CLOEXEC);
    eventfd_t count, expected = 0;

    (void)state;
    for (uint64_t i = 0; i < 2000; i++) {
        uint64_t events = 1 + i % (2 * SHARED_EVENT_MOST);

        assert_int_equal(shared_event_signal(eventfd_of, events), 0);
        expected += events < SHARED_EVENT_MOST ? events : SHARED_EVENT_MOST;
        if (i % 7)
            continue;
        assert_int_equal(eventfd_read(eventfd_of, &count), 0);
        assert_int_equal(count, expected);
        expected = 0;
    }
    close(eventfd_of);
}

/* One that blocks does not when it is full. */
static void a_full_one_stays_full(void **state)
{
    int eventfd_of = eventfd(0, EFD_CLOEXEC);
    eventfd_t count;

    (void)state;
    assert_int_equal(eventfd_write(eventfd_of, UINT64_MAX - 1), 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(shared_event_signal(eventfd_of, 5), 0);
    assert_int_equal(eventfd_read(eventfd_of, &count), 0);
    assert_true(count >= UINT64_MAX - 1);
    assert_int_equal(shared_event_signal(eventfd_of, 1), 0);
    assert_int_equal(eventfd_read(eventfd_of, &count), 0);
    assert_int_equal(count, 1);
    close(eventfd_of);
}

/* What is none is an error, and no reason for the next call to fail. */
static void others_are_errors(void **state)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), good = eventfd(0, EFD_CLOEXEC);
    eventfd_t count;

    (void)state;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(shared_event_signal(null, 64), -EINVAL);
        assert_int_equal(shared_event_signal(-1, 64), -EBADF);
        assert_int_equal(shared_event_signal(good, 64), 0);
    }
    assert_int_equal(eventfd_read(good, &count), 0);
    assert_int_equal(count, 200 * 64);
    close(null);
    close(good);
}

static int prepare(void **state)
{
    (void)state;
    return shared_event_prepare();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_counted),
        cmocka_unit_test(a_full_one_stays_full),
        cmocka_unit_test(others_are_errors),
    };

    return cmocka_run_group_tests_name("shared_event", tests, prepare, NULL);
}
