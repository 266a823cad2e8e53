/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection whose peer is another VM: the socket over which the process that started both says what the two share,
 * and passes on who is there (src/wire/wire.h).
 */
#pragma once

#include "loop.h"
#include "report.h"
#include "wiring.h"

struct sibling {
    struct source source; /**< fd -1: none */
    struct wiring *wiring;
    struct report report;
    struct crossvm_wire_driver told; /**< of the peer, last */
};

/**
 * Receives what the VMs share. Waits for it some seconds at most.
 *
 * @param socket becomes the sibling's
 * @param wiring receives the memory and the doorbells; it must outlive the sibling, and wiring_destroy() frees it, also
 *               after a failure
 * @return 0, or -1 after a message
 */
int sibling_join(struct sibling *sibling, int socket, struct wiring *wiring, vm_t *vm);

/** Begins to tell and to listen, once the wiring is attached. With the VMM's lock held. 0, or -1 after a message. */
int sibling_start(struct sibling *sibling);

/** After loop_stop(). */
void sibling_destroy(struct sibling *sibling);
