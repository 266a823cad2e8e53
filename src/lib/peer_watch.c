/* SPDX-License-Identifier: BSD-2-Clause */
#include "peer_watch.h"

#include "end.h"

static bool is_there(uint64_t peer)
{
    return (uint32_t)peer == CROSSVM_PEER_READY;
}

/* Ends this session and no later one: the next peer is there. */
static deadline_t say_gone(crossvm_channel_t *channel)
{
    crossvm_channel_set_peer(channel, false);
    crossvm_channel_set_peer(channel, true);
    return DEADLINE_NOW;
}

/* Whether news tell of programs at the other end at all: there is or was one, or one has come and gone. */
static bool is_tracked(const struct peer_watch *watch, uint64_t peer)
{
    return is_there(peer) || is_there(watch->first) ||
           ((uint32_t)peer == (uint32_t)watch->first && peer != watch->first);
}

static uint64_t peer_of(const struct crossvm_end *end)
{
    return __atomic_load_n(&end->waiters.peer, __ATOMIC_ACQUIRE);
}

/* A new session: the news that are here by now are older. If another thread leads, it has read them. */
static void begin(struct peer_watch *watch, const crossvm_channel_t *channel, struct crossvm_end *end)
{
    (void)cvm_waiters_look(end);
    watch->session = crossvm_channel_session(channel);
    watch->peer = peer_of(end);
    watch->settled = now_ns() + watch->late_ns;
}

static deadline_t look(struct peer_watch *watch, crossvm_channel_t *channel, struct crossvm_end *end)
{
    const bool was_tracked = watch->tracked;
    uint64_t peer;

    if (crossvm_channel_state(channel) != CROSSVM_CHANNEL_CONNECTED)
        return DEADLINE_NEVER;
    if (watch->session != crossvm_channel_session(channel))
        begin(watch, channel, end);
    peer = peer_of(end);
    watch->tracked = watch->tracked || is_tracked(watch, peer);
    if (peer != watch->peer) {
        if (deadline_is_over(watch->settled) && was_tracked) /* else it is the late news that this peer came */
            return say_gone(channel);
        watch->peer = peer;
    }
    if (is_there(peer) || !watch->tracked)
        return DEADLINE_NEVER;
    /* It has come and gone, or the news that it is there are on their way. */
    return deadline_is_over(watch->settled) ? say_gone(channel) : watch->settled;
}

deadline_t cvm_peer_watch(struct peer_watch *watch, crossvm_channel_t *channel, struct crossvm_end *end)
{
    deadline_t again;

    pthread_mutex_lock(&watch->lock);
    again = look(watch, channel, end);
    pthread_mutex_unlock(&watch->lock);
    return again;
}
