/* SPDX-License-Identifier: BSD-2-Clause */
#include "join.h"

#define STATE 3u /* of a word of news */
#define CAME 4u

/* --- what this guest does --- */

static int emit(void *cookie)
{
    const struct join *join = cookie;

    /* Orders the guest's stores to the dataport, which this store's exit followed, before the signal: the other guest
     * may run on another core. */
    __atomic_thread_fence(__ATOMIC_RELEASE);
    seL4_Signal(join->other_event);
    return 0;
}

static void tell(struct join *join, uint32_t state)
{
    uint32_t *word = &join->news->of_end[join->end].word;
    bool comes = state != CROSSVM_DRIVER_NONE && state >= (*word & STATE); /* OPEN over OPEN is another program */
    uint32_t came = (*word & ~STATE) + (comes ? CAME : 0);

    /* Release: pairs with the load in hear(). What the guest did before its news is seen by who hears them. */
    __atomic_store_n(word, came | state, __ATOMIC_RELEASE);
    seL4_Signal(join->other_news);
}

static void driver_changed(void *cookie, uint32_t state)
{
    tell(cookie, state);
}

void join_guest_ended(struct join *join)
{
    tell(join, CROSSVM_DRIVER_NONE);
}

/* --- what the other one does --- */

static uint32_t peer_state(uint32_t word)
{
    switch (word & STATE) {
    case CROSSVM_DRIVER_NONE:
        return CROSSVM_PEER_ABSENT;
    case CROSSVM_DRIVER_OPEN:
        return CROSSVM_PEER_READY;
    default:
        return CROSSVM_PEER_PRESENT;
    }
}

/* Signals merge: the word has the last state, and whether anybody came meanwhile. */
static void hear(struct join *join)
{
    uint32_t word = __atomic_load_n(&join->news->of_end[1 - join->end].word, __ATOMIC_ACQUIRE);
    uint32_t state = peer_state(word);

    if (word == join->heard)
        return;
    /* Whoever came is told by a state that is raised or repeated; so after one that went, it has to be low. */
    if ((word & ~STATE) != (join->heard & ~STATE) && state < peer_state(join->heard))
        crossvm_set_peer_state(join->connection, CROSSVM_PEER_ABSENT);
    crossvm_set_peer_state(join->connection, state);
    join->heard = word;
}

void join_notified(struct join *join, seL4_Word badge)
{
    if (badge & BADGE_JOIN_EVENT)
        crossvm_consume_event(join->connection);
    if (badge & BADGE_JOIN_NEWS)
        hear(join);
}

int join_install(struct join *join, const crossvm_bus_t *bus, const char *name,
                 const crossvm_dataport_config_t *dataport)
{
    const crossvm_connection_config_t config = {
        .name = name,
        .dataports = dataport,
        .num_dataports = 1,
        .emit = emit,
        .driver_changed = driver_changed,
        .cookie = join,
        .end = join->end,
    };

    if (crossvm_install(bus, &config, 1, &join->connection))
        return -1;
    join->heard = ~0u; /* the first look tells the guest, whatever there is */
    join_guest_ended(join);
    hear(join);
    return 0;
}
