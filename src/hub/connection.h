/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection: the memory, doorbells and pages that its two ends share. It outlives whoever is at an end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "../common/dataport_spec.h"
#include "end.h"
#include "loop.h"

struct hub_connection_config {
    const char *name;
    struct dataport_spec dataports[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports;
    bool ivshmem; /**< an end is taken over ivshmem: all memory lies in one region, which both ends write */
};

struct hub_connection;

/** Makes what is shared; the loop must outlive it. NULL after a message. */
struct hub_connection *hub_connection_create(struct hub_loop *loop, const struct hub_connection_config *config);

/** End 0 or 1, for a door. */
struct hub_end *hub_connection_end(struct hub_connection *connection, unsigned int number);

/** For a hub that ends, before it closes the doors: tells both ends that their peer is gone, while they can hear it. */
void hub_connection_hang_up(struct hub_connection *connection);

/** When no door uses an end any more. NULL is allowed. */
void hub_connection_destroy(struct hub_connection *connection);
