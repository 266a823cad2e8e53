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

/** How an end is taken. */
struct hub_end_config {
    enum crossvm_door door;
    const char *vm;   /**< name of the VM that takes it; NULL: none, or unknown */
    const char *name; /**< what programs call the end; NULL: like the connection */
    const char *path; /**< of a VMM's socket; NULL: hub_socket_path() */
};

struct hub_connection_config {
    const char *name;
    struct hub_end_config ends[2];
    struct dataport_spec dataports[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports;
    bool base_block_only; /**< offer guests registers 0x00 to 0x37 only; with doors host and crossvm-vm */
};

struct hub_connection;

/** Makes what is shared; the loop must outlive it. NULL after a message. */
struct hub_connection *hub_connection_create(struct hub_loop *loop, const struct hub_connection_config *config);

/** End 0 or 1, for a door. */
struct hub_end *hub_connection_end(struct hub_connection *connection, unsigned int number);

/** From now on the observer hears of changes; NULL: nobody does. */
void hub_connection_observe(struct hub_connection *connection, struct hub_observer *observer);

/** For a hub that ends, before it closes the doors: tells both ends that their peer is gone, while they can hear it. */
void hub_connection_hang_up(struct hub_connection *connection);

/** When no door uses an end any more. NULL is allowed. */
void hub_connection_destroy(struct hub_connection *connection);
