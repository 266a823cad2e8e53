/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop of a hub: one thread serves all connections. Handlers do a bounded amount of work and never wait, so
 * no client can stall another.
 */
#pragma once

#include <stdint.h>

#include "../common/clock.h"

struct hub_loop;

/** Something that the loop watches. Its memory is the owner's, and must outlive the watching. */
struct hub_source {
    int fd;
    /** Called when there is one of the events (EPOLLIN...). May unwatch and free any source, and any timer. */
    void (*handle)(struct hub_source *source, uint32_t events);
};

/** Something to do at a time. Its memory is the owner's, and must outlive hub_timer_remove(). */
struct hub_timer {
    int64_t due_ms; /**< NEVER_MS: at none */
    /** Called once it is due, which is NEVER_MS by then; it may set it again. */
    void (*handle)(struct hub_timer *timer, int64_t now);
    struct hub_timer *next, **link; /**< the loop's */
};

/** NULL after a message. */
struct hub_loop *hub_loop_create(void);

/** Whatever is watched stays open. NULL is allowed. */
void hub_loop_destroy(struct hub_loop *loop);

/** Watches a source from now on. 0, or -1 with errno. */
int hub_loop_watch(struct hub_loop *loop, struct hub_source *source, uint32_t events);

/** Watches a source for other events than before. */
void hub_loop_change(struct hub_loop *loop, struct hub_source *source, uint32_t events);

/** Watches a source no more; it is not called again. */
void hub_loop_unwatch(struct hub_loop *loop, struct hub_source *source);

/** Adds a timer that is not due yet, and takes one out. */
void hub_timer_add(struct hub_loop *loop, struct hub_timer *timer);
void hub_timer_remove(struct hub_timer *timer);

/** Makes a timer due at that time, or at NEVER_MS. Costs little, however many there are. */
void hub_timer_set(struct hub_loop *loop, struct hub_timer *timer, int64_t due_ms);

/**
 * Serves until a descriptor polls readable.
 *
 * @return 0, or -1 after a message
 */
int hub_loop_run(struct hub_loop *loop, int stop);
