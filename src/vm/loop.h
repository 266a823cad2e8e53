/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop of a VM's process: one thread beside the vCPUs that serves sockets and eventfds.
 */
#pragma once

#include <stdint.h>

struct loop;

/** Something that the loop watches. Its memory is the owner's, and must outlive the watching. */
struct source {
    int fd;
    /** Called with the VMM's lock held, when there is one of the events (EPOLLIN...). May unwatch and free any source.
     */
    void (*handle)(struct source *source, uint32_t events);
};

/** NULL after a message. */
struct loop *loop_create(void);

/** Starts the thread. 0, or -1 after a message. */
int loop_start(struct loop *loop);

/** Ends the thread if it runs; what is watched stays so. Not with the VMM's lock held. */
void loop_stop(struct loop *loop);

/** NULL is allowed. */
void loop_destroy(struct loop *loop);

/** Watches a source for events from now on, or for others than before. With the VMM's lock held, or before
 * loop_start(). 0, or -1 with errno. */
int loop_watch(struct loop *loop, struct source *source, uint32_t events);
void loop_change(struct loop *loop, struct source *source, uint32_t events);
void loop_unwatch(struct loop *loop, struct source *source);
