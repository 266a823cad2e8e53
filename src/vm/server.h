/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server of host ends: one socket a connection (src/wire/door.h), and the programs that come there.
 */
#pragma once

#include <stddef.h>

#include "loop.h"
#include "wiring.h"

struct server;

/**
 * Opens DIR/NAME.sock for each connection (door_open()).
 *
 * @param wirings n of them, created; they stay the caller's and must outlive the server
 * @return the server, or NULL after a message
 */
struct server *server_create(const char *dir, const char *vm_name, struct loop *loop, struct wiring *const *wirings,
                             size_t n);

/** Serves programs, once the wirings are attached. 0, or -1 after a message. */
int server_start(struct server *server);

/** Closes and removes the sockets. NULL is allowed. With the VMM's lock held, after loop_stop(). */
void server_destroy(struct server *server);
