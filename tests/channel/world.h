/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world in which two ends of a channel run in every possible order.
 *
 * The channel's own code is compiled so that each of its accesses to a shared word comes here. Each end is a coroutine
 * that stops before an access; the explorer chooses which end continues. Stores first go to the end's store buffer and
 * become visible later, in order, when the explorer chooses (total store order, as x86 has it); fences and pending wait
 * for them. An end can be killed at any of these points, and its successor starts on the memory as it was left.
 *
 * All that there is lies in one struct, so that the explorer goes back to a choice by copying.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <crossvm/channel.h>

/** One story to explore. */
struct story {
    const char *name;
    size_t size;   /* of the dataport */
    unsigned mode; /* of the channel */
    unsigned flags;
    int kills;         /* how many ends may be killed, in all */
    int switches;      /* how often an end is stopped though it could go on; 0: no limit */
    bool announced;    /* the survivor is told that its peer is gone */
    bool start_joined; /* begin in a session */
    bool orderly;      /* no store buffers */
    bool (*run[2])(int end, crossvm_channel_t *channel); /* what each end does; its result is whether it ended well */
    bool forever[2];                                     /* this end may be asleep when the story ends */
    void (*prepare)(void);                               /* after the ends have joined; may be NULL */
};

/** Explores all orders. Prints what it found; returns whether all was well. */
bool explore(const struct story *story);

/** The channel of an end, for prepare(). */
crossvm_channel_t *world_channel(int end);

/** Ends the story of the order that is being explored as a failure. Called by the ends. */
void world_fail(const char *reason);
