/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server of host ends: one Unix socket a connection (src/host/wire.h), and a thread that answers there and relays
 * the peers' events while the VM's process is in their path.
 */
#pragma once

#include <stddef.h>

#include "host_end.h"

struct server;

/**
 * Binds DIR/NAME.sock for each end. The directory is made (mode 0700) when it is missing. A socket that a dead process
 * left is replaced; one that a live process serves is an error.
 *
 * @param ends n of them, created; they stay the caller's and must outlive the server
 * @return the server, or NULL after a message
 */
struct server *server_create(const char *dir, const char *vm_name, struct host_end *ends, size_t n);

/** Attaches the installed connections, in the order of the ends, and starts the thread. 0, or -1 after a message. */
int server_start(struct server *server, crossvm_connection_t *const *connections);

/** Stops the thread, closes and removes the sockets. NULL is allowed. Not with the VMM's lock held. */
void server_destroy(struct server *server);
