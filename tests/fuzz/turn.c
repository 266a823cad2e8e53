/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hub_loop_run() ends when a descriptor polls readable. One that always does would end a turn, too; but the kernel
 * would have to watch it from the start of each turn to its end, and most turns have nothing else to do. So the linker
 * puts these epoll_ctl() and epoll_wait() in the place of the C library's (--wrap), and the descriptor is none.
 */
#include "turn.h"

#include <limits.h>
#include <sys/epoll.h>

#include "fuzz.h"

#define END INT_MAX    /* in the place of the descriptor that ends the loop; no other has this number */
#define MOST_READY 256 /* sources of a loop */

static struct {
    struct epoll_event end; /* as the loop watches it */
    bool counted, served;
    int left; /* sources that were ready and were not served yet */
} turn;

int __real_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event);

int __wrap_epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    if (fd != END)
        return __real_epoll_ctl(epoll, operation, fd, event);
    if (operation == EPOLL_CTL_ADD)
        turn.end = *event;
    return 0;
}

int __real_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout);
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout);

/*
 * Counts what is ready. The kernel then gives that once more, in the same order; it looks at each source anew, since
 * serving one may change or free another. A single one need not be asked for again.
 */
int __wrap_epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
    struct epoll_event ready[MOST_READY];

    (void)timeout; /* the end is there */
    REQUIRE(most == 1);
    if (!turn.counted) {
        turn.counted = true;
        turn.left = __real_epoll_wait(epoll, ready, MOST_READY, 0);
        REQUIRE(turn.left >= 0 && turn.left < MOST_READY);
        turn.served = turn.left > 0;
        if (turn.left == 1) {
            turn.left = 0;
            *events = ready[0];
            return 1;
        }
    }
    if (turn.left-- > 0 && __real_epoll_wait(epoll, events, 1, 0) == 1)
        return 1;
    *events = turn.end;
    return 1;
}

bool turn_run(struct hub_loop *loop)
{
    turn.counted = false;
    REQUIRE(hub_loop_run(loop, END) == 0);
    return turn.served;
}
