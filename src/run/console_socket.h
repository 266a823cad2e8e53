/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's console at a Unix socket. One program at a time has it; the program that connects gets the recent output
 * first.
 */
#pragma once

#include <poll.h>
#include <stddef.h>

#include "../wire/listener.h"

#define BACKLOG_BYTES 65536

struct console_socket {
    struct listener listener;
    int client; /**< -1: none */
    char backlog[BACKLOG_BYTES];
    size_t used;
};

/** Listens at a path. A socket that a dead process left there is replaced. 0, or -1 after a message. */
int console_socket_open(struct console_socket *console, const char *path);

/** Closes and removes it. */
void console_socket_close(struct console_socket *console);

/** Passes on what the VM printed. A client that does not take it misses it: the VM does not wait. */
void console_socket_put(struct console_socket *console, const char *bytes, size_t n);

/** What to poll for at the client's socket. The listener has its own wishes. */
struct pollfd console_socket_client_wishes(const struct console_socket *console);

/**
 * Lets a program in, or turns it away if another one has the console or it is another user's.
 *
 * @return 0, or an errno value when nobody can be accepted for now
 */
int console_socket_welcome(struct console_socket *console, int64_t now);

/** Reads what the client typed: as much as fits. Returns how much; 0 when there is nothing, or the client left. */
size_t console_socket_take(struct console_socket *console, char *bytes, size_t size);
