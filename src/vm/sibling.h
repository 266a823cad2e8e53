/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection whose peer is another VM. `crossvm run` has started both: over a socket it says what the two share, and
 * passes on the state of each one's driver (src/wire/wire.h).
 */
#pragma once

#include "loop.h"
#include "report.h"
#include "wiring.h"

struct sibling {
    struct source source; /**< the socket; fd -1: none */
    struct wiring *wiring;
    struct report report;
    struct crossvm_wire_driver told; /**< the last message about the peer */
};

/**
 * Receives what the VMs share. Waits for it for some seconds at most.
 *
 * @param socket belongs to the sibling from now on
 * @param wiring receives the memory and the doorbells. It must outlive the sibling; wiring_destroy() frees it, also
 * after a failure
 * @return 0, or -1 after a message
 */
int sibling_join(struct sibling *sibling, int socket, struct wiring *wiring, vm_t *vm);

/** Begins to send and to receive reports, once the wiring is attached. With the VMM's lock held. 0, or -1 after a
 * message. */
int sibling_start(struct sibling *sibling);

/** After loop_stop(). */
void sibling_destroy(struct sibling *sibling);
