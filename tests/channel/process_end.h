/* SPDX-License-Identifier: BSD-2-Clause */
/* An end of a channel in a process: memory and events that two processes of one machine share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <crossvm/channel.h>

/** What both ends have in common. Made before they fork. */
struct process_link {
    void *memory;
    size_t size;
    int event[2]; /* eventfds; end i waits for event[i] */
};

/** One end. Does not move while its channel is in use. */
struct process_end {
    crossvm_channel_t channel;
    const struct process_link *link;
    unsigned end;
    int peer; /* hangs up when the peer's process ends, or -1 */
};

/** Makes memory and events. Exits when it cannot. */
void process_link_init(struct process_link *link, size_t size);

void process_link_destroy(struct process_link *link);

/** Prepares and opens an end. `peer` is a socket or pipe that hangs up when the peer's process ends, or -1. */
void process_end_open(struct process_end *end, const struct process_link *link, unsigned number, unsigned mode,
                      unsigned spin, int peer);

/** The monotonic clock, in nanoseconds: what deadlines count in. */
int64_t process_clock(void);

/** Prints a message and exits. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
