/* SPDX-License-Identifier: BSD-2-Clause */
/* What a report says: rates over the time between two reports, busiest connections first. */
#pragma once

#include "fleet.h"

/** What an end sends through a channel, a second. */
struct rate_flow {
    const struct channel_flow *total; /**< since the observation began */
    double bytes, messages, waits_for_data, waits_for_space;
    double fill;         /**< of the ring now, 0 to 1 */
    bool exact_messages; /**< each was counted; else estimated from those that were */
    bool exact_bytes;    /**< else it may have been more */
};

struct rate_channel {
    unsigned int dataport;
    const struct channel_watch *watch;
    struct rate_flow flows[2];
};

struct rate_end {
    bool known;     /**< else it is the end of this guest itself, of which only channels are shown */
    const char *vm; /**< "": none, or unknown */
    enum crossvm_door door;
    bool here;
    uint32_t peer_state; /**< CROSSVM_PEER_*: of whoever is there */
    bool has_exits;      /**< crossvm-vm counts the exits of its VM */
    bool has_accesses;   /**< a VMM asks the hub for loads and stores */
    uint64_t events, exits, accesses;
    double events_rate, exits_rate, accesses_rate;
};

/** A connection, or a device of this guest. */
struct rate_row {
    const char *name;
    const char *path;                 /**< of the hub's view, or of the device */
    const crossvm_end_info_t *device; /**< NULL: of a hub */
    struct rate_end ends[2];
    bool sees_channels; /**< else nothing is known of them */
    struct rate_channel channels[CROSSVM_MAX_DATAPORTS];
    size_t num_channels;
    double busy; /**< what it is sorted by */
};

struct rates {
    struct rate_row *rows;
    size_t count;
    double seconds; /**< between the two reports */
};

/** How rows are sorted: the highest number first, then by name. */
enum rate_order { ORDER_BYTES, ORDER_MESSAGES, ORDER_WAITS, ORDER_EMITS, ORDER_EXITS, ORDER_NAME };

/** Words for them, in that order; NULL is behind the last. */
extern const char *const rate_order_words[];

/** Computes rates of what fleet_count() counted. They are good until the fleet changes. 0, or -1 after a message. */
int rates_make(struct rates *rates, const struct fleet *fleet, enum rate_order order);
void rates_free(struct rates *rates);
