/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands share that use a channel. */
#pragma once

#include <crossvm/end_channel.h>

#include "tool.h"

/** What the command line says of a channel. */
struct channel_choice {
    const char *name;
    unsigned int mode;
    int dataport;   /* CROSSVM_CHANNEL_AUTO when none was named */
    double seconds; /* how long to wait for the other end; negative: without end */
    int spin;       /* how often to look before sleeping; CROSSVM_CHANNEL_AUTO when that was not said */
};

#define CHANNEL_CHOICE(kind)                                                                                           \
    {                                                                                                                  \
        .mode = (kind), .dataport = CROSSVM_CHANNEL_AUTO, .seconds = -1, .spin = CROSSVM_CHANNEL_AUTO                  \
    }

/** Options --dataport, --spin and --timeout, for argp.children; their input is a struct channel_choice. */
extern const struct argp channel_argp;

/** Takes the argument NAME and complains when it is missing: for the keys that a command does not handle by itself. */
error_t channel_parse_name(int key, char *argument, struct argp_state *state, struct channel_choice *choice);

/** Opens an end and its channel, or says why not. NULL on an error. */
crossvm_channel_t *channel_open(const struct channel_choice *choice);

/** Closes both. NULL is allowed. */
void channel_close(crossvm_channel_t *channel);

/** The time by which the other end is to be there. */
crossvm_deadline_t channel_deadline(const struct channel_choice *choice);

/** So many seconds from now; negative: CROSSVM_FOREVER. */
crossvm_deadline_t deadline_after(double seconds);

/**
 * Waits for the other end until then.
 *
 * @return STATUS_OK, or another exit status after a message; also when a signal came
 */
int channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline);

/** Says what an error of a channel means. Gives STATUS_TIMEOUT for -ETIMEDOUT, else STATUS_ERROR. */
int channel_error(const crossvm_channel_t *channel, ptrdiff_t error);

/** After an error: whether the connection is gone, with its VM or device, so that it must be opened again. */
bool channel_is_gone(crossvm_channel_t *channel);

/** Parses a number of seconds; anything else is a usage error. */
double parse_seconds(struct argp_state *state, const char *what, const char *text);

/** From now on, SIGINT and SIGTERM set *signaled and end calls that wait with -EINTR. */
void catch_signals(volatile int *signaled);

/** Nanoseconds of CLOCK_MONOTONIC. */
int64_t clock_ns(void);
