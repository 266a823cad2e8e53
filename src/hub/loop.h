/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop of a hub: one thread serves all connections. Handlers do a bounded amount of work and never wait, so
 * no client can stall another.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../common/clock.h"
#include "../wire/foreign.h"

struct hub_loop;

/** Something that the loop watches. Its memory is the owner's, and must outlive the watching. */
struct hub_source {
    int fd;
    /** Called when there is one of the events (EPOLLIN...). May unwatch and free any source, and any timer. */
    void (*handle)(struct hub_source *source, uint32_t events);
};

/** Something to do at a time. Its memory is the owner's, and must outlive hub_timer_stop(). */
struct hub_timer {
    int64_t due_ms; /**< NEVER_MS: at none */
    /** Called once it is due, which is NEVER_MS by then; it may set it again, and stop any. */
    void (*handle)(struct hub_timer *timer, int64_t now);
    struct hub_timer *next, **link; /**< the loop's; link is NULL while it is not set */
};

/**
 * Something to look at again and again, between all that the loop is told of: for as long as that is cheaper for
 * whoever would have to tell. Its memory is the owner's, and must outlive hub_look_stop().
 */
struct hub_look {
    /** Looks. False: not again. Must not stop another look. */
    bool (*again)(struct hub_look *look);
    struct hub_look *next, **link; /**< the loop's; link is NULL while it does not look */
};

/** NULL after a message. */
struct hub_loop *hub_loop_create(void);

/** Whatever is watched stays open. NULL is allowed. */
void hub_loop_destroy(struct hub_loop *loop);

/** For the closers of all that the loop serves. Stays the loop's. */
struct foreign_bell *hub_loop_bell(struct hub_loop *loop);

/** Watches a source from now on. 0, or -1 with errno. */
int hub_loop_watch(struct hub_loop *loop, struct hub_source *source, uint32_t events);

/** Watches a source for other events than before. */
void hub_loop_change(struct hub_loop *loop, struct hub_source *source, uint32_t events);

/** Watches a source no more; it is not called again. */
void hub_loop_unwatch(struct hub_loop *loop, struct hub_source *source);

/** What a timer is before it is first set. */
#define HUB_TIMER(function) ((struct hub_timer){.due_ms = NEVER_MS, .handle = (function)})

/** Makes a timer due at that time, or at NEVER_MS. Costs little, however many there are. */
void hub_timer_set(struct hub_loop *loop, struct hub_timer *timer, int64_t due_ms);

/** Makes it due at no time. One that was never set is allowed. */
void hub_timer_stop(struct hub_timer *timer);

/** Looks from now on; no effect on one that does. The loop does not sleep meanwhile. */
void hub_look_start(struct hub_loop *loop, struct hub_look *look);

/** Looks each time that the loop's bell has rung; no effect on one that looks. */
void hub_look_when_rung(struct hub_loop *loop, struct hub_look *look);

/** Looks no more. One that was never started is allowed. */
void hub_look_stop(struct hub_look *look);

/**
 * Serves until a descriptor polls readable.
 *
 * @return 0, or -1 after a message
 */
int hub_loop_run(struct hub_loop *loop, int stop);
