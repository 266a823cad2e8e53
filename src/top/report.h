/* SPDX-License-Identifier: BSD-2-Clause */
/* Reports of rates: for people, for programs, for Prometheus. Each returns 0, or -1 without memory. */
#pragma once

#include <stdio.h>

#include "rates.h"

/** Space for a table. */
struct report_space {
    int columns, lines; /**< what fits; lines 0: any */
    bool in_place;      /**< it is a terminal, on which it replaces the one before */
};

/** Prints a table: a line for each direction of a channel, and for each end of a connection without one. */
int report_table(FILE *stream, const struct rates *rates, const struct report_space *space);

/** Prints a JSON object, as a line. */
int report_json(FILE *stream, const struct rates *rates);

/** Prints Prometheus' text format. @param running counters that began with this process mean something */
int report_prometheus(FILE *stream, const struct rates *rates, bool running);

/** Words for an end and a channel, the same in each. */
const char *report_door(const struct rate_end *end);
const char *report_side(const struct rate_end *end); /**< of a device */
const char *report_state(const struct rate_end *end);
const char *report_mode(const struct channel_watch *watch);
