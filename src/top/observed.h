/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection as its hub shows it to observers: who is at its ends, its memory for reading only, the channels in it.
 * Errors have a sentence (crossvm_strerror()). The hub is not trusted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../wire/wire.h"
#include "channel_watch.h"

/** What the socket of a view is called behind the name of its connection. */
#define OBSERVED_SUFFIX ".view"

struct observed {
    char *path;                        /**< of the socket */
    int socket;                        /**< polls readable when there is news */
    struct crossvm_wire_observed told; /**< checked: texts end and are printable, counts and sizes are in range */
    bool awaits_exits;                 /**< the hub was asked, and will tell of a VM's exits */
    const uint64_t *pages[2];          /**< mapped: the first word is how many events that end has emitted */
    const void *dataports[CROSSVM_MAX_DATAPORTS];
    struct channel_watch channels[CROSSVM_MAX_DATAPORTS];
};

/** Connects to a view. 0, or a negative errno value; then there is nothing to close. */
int observed_open(struct observed *observed, const char *path);
void observed_close(struct observed *observed);

/** Asks how things are now: observed_hear() will hear. */
void observed_ask(struct observed *observed);

/** Takes what the hub has said. Never waits. False when it has ended, or says what cannot be. */
bool observed_hear(struct observed *observed);

/** Looks at all channels. To be called every CHANNEL_WATCH_MS. */
void observed_look(struct observed *observed, int64_t now_ns);

/** Events that an end has emitted, as far as it counts them. */
uint64_t observed_events(const struct observed *observed, unsigned int end);
