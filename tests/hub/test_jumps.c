/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The monotonic clock of a hub jumps forward: who is silent is put out early, and everybody else notices nothing. The
 * linker puts this file's clock_gettime() in the place of the C library's (--wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hub_fixture.h"
#include "neighbour.h"
#include "vmm.h"

#define HOUR_S 3600

static int64_t jumped_s;

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    assert_int_equal(clock, CLOCK_MONOTONIC); /* others may jump either way */
    if (__real_clock_gettime(clock, time))
        return -1;
    time->tv_sec += __atomic_load_n(&jumped_s, __ATOMIC_RELAXED);
    return 0;
}

static void jump(void)
{
    __atomic_add_fetch(&jumped_s, HOUR_S, __ATOMIC_RELAXED);
}

static void who_works_notices_nothing(void **state)
{
    (void)state;
    neighbour_start();
    for (int i = 0; i < 100; i++) {
        jump();
        neighbour_check();
    }
    neighbour_end();
}

/* It may come again at once. */
static void who_is_silent_is_put_out(void **state)
{
    int silent = hub_connect("x.1.sock", SOCK_SEQPACKET);
    char byte;

    (void)state;
    hub_await_rest();
    jump();
    crossvm_close(hub_open("y")); /* the hub wakes */
    crossvm_close(hub_open("y")); /* and has looked at its clock */
    assert_int_equal(recv(silent, &byte, 1, MSG_DONTWAIT), 0);
    close(silent);
    silent = hub_connect("x.1.sock", SOCK_SEQPACKET);
    crossvm_close(hub_open("x"));
    close(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(who_works_notices_nothing),
        HUB_TEST(who_is_silent_is_put_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
