/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells a peer over its socket who is at the guest's end.
 *
 * Never waits. Each message carries the whole current state, so dropping one while the socket is full loses only
 * intermediate states; the latest is sent once there is room.
 */
#pragma once

#include <stdbool.h>

#include "loop.h"
#include "wiring.h"

/** A socket that is told of the guest's end. */
struct report {
    struct source *source; /**< the socket, watched with EPOLLIN */
    bool late;             /**< the socket was full: the state is to be sent when the socket is writable */
};

/** Sends the current state; if the socket is full, watches for EPOLLOUT to send it then. */
void report_send(struct report *report, const struct wiring *wiring);

/** Must be called at EPOLLOUT. */
void report_writable(struct report *report, const struct wiring *wiring);
