/* SPDX-License-Identifier: BSD-2-Clause */
/* All connections that this machine can observe: those of hubs that run here, and the devices of this guest. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/crossvm.h>

#include "device_channels.h"
#include "observed.h"

/** What has been counted of a connection. Indices are those of ends and dataports. */
struct fleet_counts {
    int64_t ns; /**< when */
    uint64_t events[2], exits[2], accesses[2];
    struct channel_flow flows[CROSSVM_MAX_DATAPORTS][2];
};

/** A connection of a hub. */
struct fleet_connection {
    struct observed observed;
    struct fleet_counts before, now; /**< at the last two reports */
};

/** A device of this guest. */
struct fleet_device {
    crossvm_end_info_t info;
    struct device_channels channels;
    struct fleet_counts before, now; /**< at the last two reports; events of the peer only */
};

struct fleet {
    const char *pattern; /**< of names, as in a shell; NULL: all */
    struct fleet_connection **connections;
    size_t num_connections;
    struct fleet_device *devices;
    size_t num_devices;
    bool complained;             /**< about what cannot be observed */
    bool complained_of_channels; /**< in devices, which only root sees */
};

/** Looks for connections that have come. 0, or -1 after a message. */
int fleet_scan(struct fleet *fleet);

/** Waits until a hub says something, which is taken, or for so long. False when `stop` polls readable. */
bool fleet_wait(struct fleet *fleet, int stop, int timeout_ms);

/** Takes what hubs have said, and forgets those that have ended. */
void fleet_hear(struct fleet *fleet);

/** Looks at all channels. */
void fleet_look(struct fleet *fleet, int64_t now_ns);

/** Asks hubs and looks for devices, for a report. */
void fleet_ask(struct fleet *fleet);

/** Whether a hub has yet to tell of a VM's exits. */
bool fleet_awaits_exits(const struct fleet *fleet);

/** Takes the counts of a report. */
void fleet_count(struct fleet *fleet, int64_t now_ns);

void fleet_free(struct fleet *fleet);
