/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Telling a peer over its socket what holds on the guest's side: never waits, and loses no last word.
 */
#pragma once

#include <stdbool.h>

#include "loop.h"
#include "wiring.h"

/** A socket that is told. */
struct report {
    struct source *source; /**< the socket, watched with EPOLLIN */
    bool late;             /**< the socket was full: what holds is told when it polls writable */
};

/** Sends what holds now, or watches for EPOLLOUT to do so. */
void report_send(struct report *report, const struct wiring *wiring);

/** To be called for EPOLLOUT. */
void report_writable(struct report *report, const struct wiring *wiring);
