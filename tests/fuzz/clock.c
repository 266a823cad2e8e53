/* SPDX-License-Identifier: BSD-2-Clause */
/* The linker puts these clock_gettime() and poll() in the place of the C library's (--wrap). */
#include "clock.h"

#include <poll.h>
#include <time.h>

#include "fuzz.h"

/* Each look at the clock takes so long: what looks again and again until some time has passed, comes to an end. */
#define LOOK_NS 10000

static int64_t now;

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (clock != CLOCK_MONOTONIC)
        return __real_clock_gettime(clock, time);
    now += LOOK_NS;
    *time = (struct timespec){.tv_sec = now / 1000000000, .tv_nsec = now % 1000000000};
    return 0;
}

int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

/* Nobody else acts while a target waits, so what is not there does not come: all of the time passes at once. */
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
    int ready = __real_poll(fds, n, 0);

    REQUIRE(ready != 0 || timeout >= 0);
    if (ready == 0)
        clock_advance((uint32_t)timeout);
    return ready;
}

void clock_start(void)
{
    now = 1000000000;
}

void clock_advance(uint32_t ms)
{
    now += (int64_t)ms * 1000000;
}
