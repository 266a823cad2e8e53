/* SPDX-License-Identifier: BSD-2-Clause */
/* The connection to the servers: made in the background, and again as often as it breaks, until it is closed. */
#pragma once

#include <nats/nats.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"

struct server {
    natsOptions *options;
    natsConnection *connection;
    jsCtx *streams; /**< JetStream */
    int wake;       /**< an eventfd: something happened */
    const struct bridge_config *config;
    bool unsent;           /**< something was published since server_send() */
    atomic_uint connects;  /**< times that a connection was made */
    atomic_bool connected; /**< there is one now */
    atomic_bool closed;    /**< the library has given up: server_connect() begins anew */
    int64_t again_ns;      /* not before this */
    int attempts;          /* in a row that failed */
    int misunderstandings; /* ... with a server that was there */
};

/** Makes ready to connect. 0, or -1 after a message. */
int server_open(struct server *server, const struct bridge_config *config, int wake);

/**
 * Begins to connect. What was subscribed before is to be subscribed again.
 *
 * @return 0, also if there is no server yet; `connection` may be NULL then. -1 after a message: no server will have
 * this client
 */
int server_connect(struct server *server);

/** Whether it is time to call server_connect() again. Subscriptions are to be destroyed before. */
bool server_is_due(const struct server *server);

/** Looks at a stream, and makes one that is missing, if the command line says so. NATS_OK: it is there, and *info is to
 * be destroyed. */
natsStatus server_find_stream(struct server *server, const struct bridge_path *path, jsStreamInfo **info);

/** Sends what was published at once. The library does so a millisecond later, or when it has a lot. */
void server_send(struct server *server);

/** Says once a second, at most, what is wrong. */
void server_complain(const char *sentence);

/** What a failed call means, and what to do where that is known. For the bridge's own thread, until the next call. */
const char *server_reason(natsStatus status);

/** Sends what was published, and closes. `waits`: until the server has it. */
void server_close(struct server *server, bool waits);
