/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the program that a channel is in a session with is still there.
 *
 * A peer that restarts shows in the channel's memory. A peer that ends does not: the hub or the device has
 * that news. Memory and news take different ways, so a new peer can be in a session with this end before the news of
 * its predecessor's end is here. Therefore reports that a peer has left are ignored until the session is older than the
 * longest delay of news.
 */
#pragma once

#include <pthread.h>

#include "api.h"
#include "waiters.h"

struct peer_watch {
    pthread_mutex_t lock; /* sender and receiver may look at the same time */
    int64_t late_ns;      /* how late news may be */
    uint64_t first;       /* struct waiters's peer when the channel was made */
    bool tracked;         /* news tell when programs come to the other end, so that this one's end shows, too */
    uint64_t session;     /* that the members below are about */
    uint64_t peer;        /* struct waiters's, of its peer */
    deadline_t settled;   /* by then the news from before the session have come */
};

/**
 * Looks at the news, and tells the channel if its peer is gone.
 *
 * @return when to look again even without news; DEADLINE_NOW when it is gone
 */
deadline_t cvm_peer_watch(struct peer_watch *watch, crossvm_channel_t *channel, struct crossvm_end *end);
