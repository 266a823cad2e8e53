/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands share that use a channel. */
#pragma once

#include <crossvm/end_channel.h>

#include "command.h"
#include "timeout.h"

/** What the command line says of a channel. */
struct channel_choice {
    const char *name;
    unsigned int mode;
    unsigned int dataport; /* as in crossvm_channel_options_t */
    double seconds;        /* how long to wait for the peer; negative: without end */
    unsigned int spin;     /* as in crossvm_channel_options_t */
};

#define CHANNEL_CHOICE(kind)                                                                                           \
    {                                                                                                                  \
        .mode = (kind), .seconds = -1                                                                                  \
    }

/** Options --dataport, --spin and --timeout, for argp.children; their input is a struct channel_choice. */
extern const struct argp channel_argp;

/** The same without --spin, for commands that sleep on the channel together with other descriptors. */
extern const struct argp channel_sleep_argp;

/** Takes the argument NAME, and gives one of these its input: for the keys that a command does not handle itself. */
error_t channel_parse_name(int key, char *argument, struct argp_state *state, struct channel_choice *choice);

/** Opens an end and a channel on it. NULL after a message. */
crossvm_channel_t *channel_open(const struct channel_choice *choice);

/** Makes the channel of an end. NULL after a message; then the end is closed. */
crossvm_channel_t *channel_create(crossvm_end_t *end, const struct channel_choice *choice);

/** Closes both. NULL is allowed. */
void channel_close(crossvm_channel_t *channel);

/** Name of a channel's connection. */
const char *channel_name(const crossvm_channel_t *channel);

/** Says so if no program is at the other end yet: commands that need a certain one would wait without a word. */
void channel_ask_for(const crossvm_channel_t *channel, const char *command);

/** Waits for the peer until then. Returns STATUS_OK, or another exit status after a message; also after a signal. */
int channel_connect(crossvm_channel_t *channel, crossvm_deadline_t deadline);

/** Says what the error means that a call has just returned. Returns STATUS_TIMEOUT for -ETIMEDOUT, else STATUS_ERROR.
 */
int channel_error(ptrdiff_t error);

/** Whether the connection itself is gone, with its VM or device, so that it must be opened again. */
bool channel_is_gone(crossvm_channel_t *channel);

/**
 * Begins anew for the next client, in commands that serve one after the other.
 *
 * @param error what ended the session, or 0. -EPROTO and -EBADMSG: the client did not fit
 * @param sentence says so, in that case
 * @return false when there can be no next one: the caller ends with channel_error()
 */
bool channel_serve_next(crossvm_channel_t *channel, int error, const char *sentence);

/**
 * ... and in commands that outlive the connection itself: if that is gone, opens it again as soon as it is back.
 *
 * @param channel may be another one afterwards, or NULL after a message
 * @return false when there can be no next one
 */
bool channel_await_next(crossvm_channel_t **channel, const struct channel_choice *choice, int error,
                        const char *sentence);

/** From now on, signals that ask for the end (end_signals()) set *signaled and end calls that wait with -EINTR. */
void catch_signals(volatile int *signaled);
