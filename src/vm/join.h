/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket by which a hub hands over one end of a connection, and by which hub and VM tell each other who is at the
 * ends (src/wire/wire.h).
 */
#pragma once

#include <stdbool.h>

#include "loop.h"
#include "wiring.h"

struct join {
    struct source source; /**< the socket; fd -1: none */
    struct wiring *wiring;
    struct crossvm_wire_driver told; /**< the last message about the peer */
    bool late;                       /**< the socket was full: a report is to be sent when the socket is writable */
};

/** One that is not open: join_close() may have it. */
#define JOIN_CLOSED ((struct join){.source = {.fd = -1}})

/**
 * Takes an end from a hub.
 *
 * @param where  path of the hub's socket, or the number of an inherited descriptor, which becomes the join's
 * @param wiring receives the memory and the doorbells. It must outlive the join; wiring_destroy() frees it, also after
 *               a failure
 * @return 0, or -1 after a message. join_close() closes it in any case.
 */
int join_open(struct join *join, const char *where, struct wiring *wiring, vm_t *vm);

/** Begins to send and to receive news, once the wiring is attached. With the VMM's lock held. 0, or -1 after a message.
 */
int join_start(struct join *join);

/** After loop_stop(). */
void join_close(struct join *join);
