/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What two VMs of a connection share, held here so that each of their processes can end and be started again: memory,
 * doorbells, and the word of who is there (src/wire/wire.h).
 *
 * Events go from VM to VM by themselves. Only driver messages come here, to be passed on.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>

#include "../wire/wire.h"
#include "topology.h"

/** One of the two ends. */
struct link_end {
    int socket;            /**< to the VM's process; -1 while there is none */
    int doorbell;          /**< eventfd that this end's guest rings */
    int page;              /**< memfd in which this end's guest counts its events */
    uint32_t driver_state; /**< CROSSVM_DRIVER_*: what the end's process said last */
    uint32_t generation;   /**< goes on counting when the process is another */
    uint32_t base;         /**< added to what the present process counts */
    bool late;             /**< its socket was full when there was something to tell */
};

struct link {
    const struct topology_connection *connection;
    struct link_end ends[2];
    int dataports[CROSSVM_MAX_DATAPORTS];
};

/** Makes what is shared. 0, or -1 after a message. link_destroy() frees, also after a failure. */
int link_create(struct link *link, const struct topology_connection *connection);

void link_destroy(struct link *link);

/**
 * Makes a socket for a new process of an end's VM, with the JOIN message and what is known of the other end in it.
 *
 * @return the process's side, for the caller to close; -1 after a message
 */
int link_join(struct link *link, int end);

/** The end's process is gone: tells the other. */
void link_leave(struct link *link, int end);

/** What to poll for at an end's socket. */
struct pollfd link_wishes(const struct link *link, int end);

/** Passes on what came from an end, and tells it what it was not told. */
void link_serve(struct link *link, int end, short events);
