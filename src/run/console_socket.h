/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's console at a Unix socket: one program at a time has it, and finds what was printed last.
 */
#pragma once

#include <poll.h>
#include <stddef.h>

#define BACKLOG_BYTES 65536

struct console_socket {
    const char *path;
    int listener; /**< -1: none */
    int client;   /**< -1: none */
    int spare;    /**< a descriptor to give up when there are no others */
    char backlog[BACKLOG_BYTES];
    size_t used;
};

/** Listens at a path. 0, or -1 after a message. */
int console_socket_open(struct console_socket *console, const char *path);

/** Closes and removes it. */
void console_socket_close(struct console_socket *console);

/** What the VM printed. A client that does not take it misses it: the VM does not wait. */
void console_socket_put(struct console_socket *console, const char *bytes, size_t n);

/** What to poll for. */
struct pollfd console_socket_listener_wishes(const struct console_socket *console);
struct pollfd console_socket_client_wishes(const struct console_socket *console);

/** Lets a program in, or turns it away if there is one. */
void console_socket_welcome(struct console_socket *console);

/** Reads what the client typed: as much as fits. Returns how much; 0 when there is nothing, or the client left. */
size_t console_socket_take(struct console_socket *console, char *bytes, size_t size);
