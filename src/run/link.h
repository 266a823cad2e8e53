/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection between two VMs: the memory and the doorbells that both processes share, and the state of each one's
 * driver (src/wire/wire.h). This process holds them, so that each VM's process can end and be started again.
 *
 * Events go from VM to VM without this process. Only driver messages pass through it.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>

#include "../wire/wire.h"
#include "topology.h"

/** One of the two ends. */
struct link_end {
    int socket;            /**< to the VM's process; -1: there is no process */
    int doorbell;          /**< eventfd that this end's guest signals */
    int page;              /**< memfd in which this end's guest counts its events */
    uint32_t driver_state; /**< CROSSVM_DRIVER_*, as the process reported it last */
    uint32_t generation;   /**< of the driver; never decreases, whatever process counts */
    uint32_t base;         /**< added to what the present process counts */
    bool late;             /**< its socket was full when there was something to tell */
};

struct link {
    const struct topology_connection *connection;
    struct link_end ends[2];
    int dataports[CROSSVM_MAX_DATAPORTS];
};

/** Descriptors that a link takes here, besides one for each dataport. */
#define LINK_DESCRIPTORS 6

/** Makes what is shared. 0, or -1 after a message. link_destroy() frees, also after a failure. */
int link_create(struct link *link, const struct topology_connection *connection);

void link_destroy(struct link *link);

/**
 * Makes a socket for a new process of the VM at an end, 0 or 1. In it are the JOIN message and the state of the peer's
 * driver.
 *
 * @return the process's side, for the caller to close; -1 after a message
 */
int link_join(struct link *link, int number);

/** The end's process has ended: tells the peer. */
void link_leave(struct link *link, int number);

/** What to poll for at an end's socket. */
struct pollfd link_wishes(const struct link *link, int number);

/** Passes on the message that came from an end, and sends the end what was late. */
void link_serve(struct link *link, int number, short events);
