/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the program that a channel is in a session with is still there.
 *
 * A peer that restarts shows in the channel's memory, one that ends does not: that is news of the VM's process or
 * device. Memory and news come by different ways, and so a new peer can be in a session with us before the news of its
 * predecessor's end is here. So news count only when the session is not as young as they may be late.
 */
#pragma once

#include <pthread.h>

#include "api.h"
#include "waiters.h"

struct peer_watch {
    pthread_mutex_t lock; /* sender and receiver may look at the same time */
    int64_t late_ns;      /* how late news may be */
    uint64_t first;       /* struct waiters's peer when the channel was made */
    bool tracked;         /* programs at the other end are seen to come: this one can be missed */
    uint64_t session;     /* which session this is about */
    uint64_t peer;        /* struct waiters's, of its peer */
    deadline_t settled;   /* news of before the session have come by then */
};

/**
 * Looks at the news, and tells the channel when its peer is gone.
 *
 * @return when to look again even without news; DEADLINE_NOW when it is gone
 */
deadline_t cvm_peer_watch(struct peer_watch *watch, crossvm_channel_t *channel, struct crossvm_end *end);
