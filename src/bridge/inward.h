/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From NATS into the channel: docs/bridge.md, section 5.
 *
 * A message of a stream is acknowledged when the program at the other end has taken it from the ring. Whatever breaks,
 * the stream is asked for all that comes after the last one that was taken, and what is in the ring already is known by
 * its sequence number.
 */
#pragma once

#include <crossvm/end_channel.h>

#include "config.h"
#include "inbox.h"
#include "mark.h"
#include "server.h"

/** A message that the other end has not taken yet. */
struct arrival {
    natsMsg *message;
    uint64_t sequence; /* in the stream */
    uint32_t index;    /* of the ring, after it, if it is there */
};

struct inward {
    const struct bridge_config *config;
    struct server *server;
    crossvm_channel_t *channel; /**< NULL: none yet */
    uint64_t received, dropped, duplicates, too_long;
    struct inbox inbox;
    natsSubscription *subscription;

    struct arrival *arrivals; /* a ring of `size`: the first `put` are in the channel's ring */
    size_t size, first, count, put;
    bool full;   /* the channel's ring has no room for the next one */
    bool ending; /**< nothing more will be put */

    /* JetStream */
    struct mark *mark;
    uint64_t taken;      /* all up to this sequence number was taken */
    uint64_t noted;      /* ... and the present consumer begins behind this */
    uint64_t given;      /* all up to this was put into a ring, by a predecessor or this process */
    uint64_t left;       /* what a predecessor put there that was not taken; counts while recovering */
    size_t longest;      /* bytes of what it could put there; the same */
    bool recovering;     /* up to `given` */
    bool known;          /* where the consumer is */
    bool in_step;        /* the consumer goes on where this end is */
    int64_t made;        /* when the stream was */
    uint64_t number;     /* of the consumer: its name ends with it */
    unsigned int window; /* how many messages it has on their way */
    uint64_t next;       /* number of its next delivery */
    unsigned int connects;
    int64_t heard_ns, again_ns, pause_ns;
};

/** Makes ready. 0, or -1 after a message. */
int inward_open(struct inward *inward, const struct bridge_config *config, struct server *server);

/** Subscribes over a new connection. 0, or -1 after a message. */
int inward_subscribe(struct inward *inward);

/** Goes on after a predecessor, which has put all up to `given` into a ring for messages of up to `longest` bytes, with
 * `left` that were not taken. */
void inward_inherit(struct inward *inward, uint64_t given, uint64_t left, size_t longest);

/** The session is over. What was not taken is put into the ring of the next one. */
void inward_put_back(struct inward *inward);

/** Moves what can be moved; `more`: puts further messages into the ring. 0, or -EPIPE if the other end takes nothing.
 */
int inward_move(struct inward *inward, bool more);

/** All up to this sequence number was taken for certain; 0: that is not known. */
uint64_t inward_taken(const struct inward *inward);

/** Whether all that is in the ring was taken, and the stream knows it. */
bool inward_is_done(const struct inward *inward);

/** How many messages are in the ring, or were taken since the present consumer began. */
size_t inward_count_unknown(const struct inward *inward);

/** Milliseconds after which to move again in any case; -1: none. */
int inward_timeout_ms(const struct inward *inward);

/** Hears no more, until inward_subscribe(). */
void inward_unsubscribe(struct inward *inward);

/** ... and drops what has come. */
void inward_close(struct inward *inward);

/** To be called when the connection to the server is closed. */
void inward_free(struct inward *inward);
