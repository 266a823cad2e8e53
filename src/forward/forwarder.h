/* SPDX-License-Identifier: BSD-2-Clause */
/* Carries sockets over a channel, until a signal ends it. */
#pragma once

#include <crossvm/end_channel.h>

#include "rules.h"

#define FORWARDER_MOST_SOCKETS 4096 /* a limit of the command; the protocol's is higher */

struct forwarder_config {
    crossvm_channel_t *channel; /* for datagrams */
    const struct rules *rules;
    const char *standard; /* NULL, or the target of standard input and output: with that, the forwarder ends, too */
    int stop;             /* polls readable when the forwarder is to end */
    uint32_t sockets;     /* that each end may have opened at once */
    uint64_t memory;      /* bytes that may be kept for slow sockets, in all */
    uint32_t window;      /* ... and for one */
    crossvm_deadline_t deadline; /* for the peer to come for the first time */
};

struct forwarder;

/** Prepares it: all that it will open but targets is open then. NULL after a message. */
struct forwarder *forwarder_create(const struct forwarder_config *config);

/** Runs it. Returns an exit status, after a message where it is not 0. */
int forwarder_run(struct forwarder *forwarder);

/** Resets all sockets. NULL is allowed. */
void forwarder_destroy(struct forwarder *forwarder);
