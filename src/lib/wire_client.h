/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of src/wire/wire.h: one request, one reply, and driver messages after that.
 *
 * The process behind the socket is not trusted: a reply is received into private memory, and checked there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "../wire/wire.h"

/**
 * Connects to a socket of a hub that is to be trusted.
 *
 * @param timeout_ms how long each call on the socket may block
 * @return the socket, or a negative errno value, as those of cvm_wire_request(), with a sentence
 */
int cvm_wire_connect(const char *path, int timeout_ms);

/** Makes a text of a message safe to be shown on a terminal, and ends it. */
void cvm_wire_clean_text(char *text, size_t size);

/** An answered request. */
struct wire_answer {
    struct crossvm_wire_reply reply; /* checked: texts end and are printable, counts and sizes are in range */
    int socket;                      /* ATTACH: the caller's, with fds; -1 with INFO */
    int fds[CROSSVM_WIRE_MAX_FDS];   /* ATTACH: CROSSVM_WIRE_FIXED_FDS and one for each dataport; close-on-exec */
};

/**
 * Connects to a socket, sends a request and checks the reply.
 *
 * @param path       of the socket
 * @param type       CROSSVM_WIRE_ATTACH or CROSSVM_WIRE_INFO
 * @param timeout_ms how long to wait for the reply
 * @return 0; -ENOENT without socket, -ECONNREFUSED when nobody listens, -ECONNRESET when the process closes the
 * connection instead of answering, -EPERM when it is not to be trusted, -EBUSY when the end is owned (ATTACH), -EPROTO
 * for another protocol, -ETIMEDOUT without reply, and other errno values, each with a sentence. On an error there is
 * nothing to close.
 */
int cvm_wire_request(const char *path, enum crossvm_wire_type type, int timeout_ms, struct wire_answer *answer);

/** Closes the socket and the descriptors, except those that are -1. */
void cvm_wire_close(struct wire_answer *answer);

/** What the hub has last said about who is at the peer's end. */
struct wire_driver {
    uint32_t state; /* CROSSVM_DRIVER_* */
    uint32_t generation;
};

/**
 * Takes the driver messages that wait at a socket, without blocking.
 *
 * @param driver set by each of them
 * @return 0, or -EPIPE when the other side closed. Sets no sentence.
 */
int cvm_wire_receive_driver(int socket, struct wire_driver *driver);
