/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server of host ends: one Unix socket a connection (src/wire/wire.h), and who comes there.
 */
#pragma once

#include <stddef.h>

#include "loop.h"
#include "wiring.h"

struct server;

/**
 * Binds DIR/NAME.sock for each connection. The directory is made (mode 0700) when it is missing. A socket that a dead
 * process left is replaced; one that a live process serves is an error.
 *
 * @param wirings n of them, created; they stay the caller's and must outlive the server
 * @return the server, or NULL after a message
 */
struct server *server_create(const char *dir, const char *vm_name, struct loop *loop, struct wiring *const *wirings,
                             size_t n);

/** Lets programs come, once the wirings are attached. 0, or -1 after a message. */
int server_start(struct server *server);

/** Closes and removes the sockets. NULL is allowed. With the VMM's lock held, after loop_stop(). */
void server_destroy(struct server *server);
