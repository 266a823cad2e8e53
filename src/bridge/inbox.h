/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of NATS on their way from a thread of the NATS library to that of the bridge. Bounded: when it is full, the
 * oldest goes.
 */
#pragma once

#include <nats/nats.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct inbox {
    size_t size;
    int wake;             /* an eventfd */
    pthread_mutex_t lock; /* of all that follows */
    natsMsg **messages;   /* a ring */
    size_t first, count;
    uint64_t dropped;
    bool closed;
};

/** Makes one for so many messages. `wake` is an eventfd that is written when there are messages. False: no memory. */
bool inbox_init(struct inbox *inbox, size_t size, int wake);

/** Takes over a message. */
void inbox_put(struct inbox *inbox, natsMsg *message);

/** Gives the oldest; NULL: there is none. The caller destroys it. */
natsMsg *inbox_take(struct inbox *inbox);

/** How many were dropped since the last question. */
uint64_t inbox_dropped(struct inbox *inbox);

/** Drops all, without counting. */
void inbox_clear(struct inbox *inbox);

/** Drops all, and what still comes. */
void inbox_close(struct inbox *inbox);

/** To be called when no thread of the library is left. */
void inbox_free(struct inbox *inbox);
