/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the channel to NATS: docs/bridge.md, section 4.
 *
 * To a stream, datagrams are published while they stay in the ring, each with the sequence number that it must get. So
 * the stream refuses what would come twice, or out of order. What the stream has is released.
 */
#pragma once

#include <crossvm/end_channel.h>
#include <pthread.h>

#include "ahead.h"
#include "config.h"
#include "mark.h"
#include "server.h"

/** A datagram on its way. */
struct flight {
    const uint8_t *data;
    uint32_t length;
    bool skipped;             /* the server does not take it */
    uint64_t sequence;        /* that it gets; of one that is skipped, that of the one before */
    struct ahead_place after; /* where the next one is */
};

struct outward {
    const struct bridge_config *config;
    struct server *server;
    crossvm_channel_t *channel; /**< NULL while what a predecessor left is published */
    uint64_t sent, dropped, resent, too_long;

    /* Core NATS: the newest datagram that the server did not get while it was away */
    uint8_t *kept;
    size_t kept_length, kept_size;
    bool has_kept;

    /* JetStream */
    struct ahead ahead;
    const uint32_t *produced; /* PRODUCED of the other end; NULL: there is nothing to read */
    struct mark *mark;
    struct flight *flights; /* a ring of config->window */
    size_t first, count, published;
    uint64_t stored; /* sequence of the last one that the stream has */
    bool known;      /* that number */
    bool in_step;    /* what is published follows what is stored */
    bool broken;     /* what comes next in the ring is no datagram */
    unsigned int connects;
    int64_t heard_ns; /* when the stream last answered, or was first asked */
    int64_t again_ns; /* not before this */
    int64_t pause_ns;
    natsSubscription *answers;
    char inbox[64];
    uint64_t most_bytes; /* that the server takes */

    pthread_mutex_t lock; /* what a thread of the library has heard: */
    unsigned int epoch;   /* ... about what was published since it last changed */
    uint64_t heard;       /* ... the highest sequence that was stored */
    bool failed;          /* ... and whether something was refused */
    char reason[200];
    bool woken;
};

/** Makes ready. 0, or -1 after a message. */
int outward_open(struct outward *outward, const struct bridge_config *config, struct server *server);

/** Hears what the stream answers, over a new connection. 0, or -1 after a message. */
int outward_subscribe(struct outward *outward);

/** Begins with a ring: from the place on, after the datagram with that sequence number, or MARK_UNKNOWN. */
void outward_begin(struct outward *outward, struct ahead ahead, const uint32_t *produced, uint64_t stored);

/** Moves what can be moved; `more`: reads further datagrams of the ring. 0, or -1 after a message if it cannot go on.
 */
int outward_move(struct outward *outward, bool more);

/** Whether the ring has nothing that still has to be published or stored. `produced` is looked at. */
bool outward_is_done(const struct outward *outward);

/** Whether the rest of the ring makes no sense, and all before it is stored. */
bool outward_is_stuck(const struct outward *outward);

/** Whether a datagram that comes would be taken now: then it is worth waking up for. */
bool outward_is_open(const struct outward *outward);

/** Milliseconds after which to move again in any case; -1: none. */
int outward_timeout_ms(const struct outward *outward);

/** Hears no more. */
void outward_close(struct outward *outward);

/** To be called when the connection to the server is closed. */
void outward_free(struct outward *outward);
