/* SPDX-License-Identifier: BSD-2-Clause */
/* An end of a connection, joined to subjects of NATS: one thread, beside those of the NATS library. */
#pragma once

#include <crossvm/end_channel.h>

#include "config.h"

struct bridge;

/**
 * Makes ready: a descriptor for events, and how much is on its way. Opens no connection to a server yet.
 *
 * @param end      is closed by the caller, after bridge_destroy()
 * @param options  of the channel
 * @param stop     a signalfd: SIGUSR1 asks for a report, others for the end
 * @param deadline until which the other end must have come
 * @return NULL after a message
 */
struct bridge *bridge_create(const struct bridge_config *config, crossvm_end_t *end,
                             const crossvm_channel_options_t *options, int stop, crossvm_deadline_t deadline);

/** Carries until it is told to end, or cannot go on. Gives an exit status. */
int bridge_run(struct bridge *bridge);

void bridge_destroy(struct bridge *bridge);
