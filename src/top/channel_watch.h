/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A channel as an observer sees it: by the words and records in its memory (docs/channel.md), which is mapped for
 * reading only. The ends know nothing of it, and execute no instruction more.
 *
 * Nothing in the memory is trusted: both ends, and their guests, can write it at any time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** At least this often a channel has to be looked at: an index of 32 bits goes round in 0.2 s at 20 GB/s. */
#define CHANNEL_WATCH_MS 100

/** What goes from one end to the other. The numbers count from the first look on, over all sessions. */
struct channel_flow {
    uint64_t bytes;            /**< of the ring: with headers of records and what fills them up */
    uint64_t messages_counted; /**< datagrams, by their records */
    double messages_estimated; /**< more of them, by their bytes, where there were too many records to look at */
    uint64_t waits_for_data;   /**< times that the receiver asked for an event, to sleep */
    uint64_t waits_for_space;  /**< the same of the sender */
    uint32_t fill;             /**< bytes in the ring now */
    bool knows_messages;       /**< datagrams, of a sender that stores LAP */
    bool missed_bytes;         /**< the index may have gone round between two looks */

    uint32_t produced, lap; /* at the last look */
    uint32_t recv_wake, send_wake;
    double sampled_bytes, sampled_messages; /* of records that were looked at, of late */
    double unknown_bytes;                   /* went by before the first of them */
    int64_t looked_ns;
    double rate; /* bytes a nanosecond before the last look */
};

enum channel_watch_state {
    CHANNEL_WATCH_NONE,    /**< nobody has made a channel of this memory */
    CHANNEL_WATCH_OPENED,  /**< somebody has */
    CHANNEL_WATCH_SESSION, /**< both ends know each other, or did until one was killed */
};

struct channel_watch {
    const uint8_t *memory;
    uint32_t ring_bytes;
    enum channel_watch_state state;
    unsigned int mode;            /**< CROSSVM_CHANNEL_STREAM or CROSSVM_CHANNEL_DATAGRAM */
    struct channel_flow flows[2]; /**< [end]: what that end sends */

    uint32_t generations[2]; /* of the session; 0: none */
    bool looked;
};

/** Watches a dataport of that many bytes, mapped there. */
void channel_watch_begin(struct channel_watch *watch, const void *memory, size_t size);

/** Looks. */
void channel_watch_look(struct channel_watch *watch, int64_t now_ns);
