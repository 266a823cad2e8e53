/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop of crossvm-vm: one thread, beside those of the vCPUs, that serves sockets and eventfds.
 */
#pragma once

#include <stdint.h>

struct loop;

/** Something that the loop watches. Its owner keeps the memory until loop_unwatch(). */
struct source {
    int fd;
    /** Called for events (EPOLLIN...), with the VMM's lock held. May unwatch and free any source. */
    void (*handle)(struct source *source, uint32_t events);
};

/** Makes a loop. Returns NULL after a message. */
struct loop *loop_create(void);

/** Starts the thread, which begins with a function, or NULL. Returns 0, or -1 after a message. */
int loop_start(struct loop *loop, void (*begin)(void));

/** Ends the thread if it runs. Sources stay watched. Must not be called with the VMM's lock held, for which the thread
 * may wait. */
void loop_stop(struct loop *loop);

/** Ends the thread and frees the loop; NULL is allowed. */
void loop_destroy(struct loop *loop);

/*
 * Call these three with the VMM's lock held, or before loop_start().
 */

/** Watches a source for events. Returns 0, or -1 with errno. */
int loop_watch(struct loop *loop, struct source *source, uint32_t events);

/** Watches a source for other events than before. */
void loop_change(struct loop *loop, struct source *source, uint32_t events);

/** Ends the watching. */
void loop_unwatch(struct loop *loop, struct source *source);
