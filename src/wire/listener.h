/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A listening Unix socket. Its file is closed to other users from the moment that it exists, and a failure of accept()
 * never makes its owner spin.
 *
 * Times are in milliseconds of the caller's clock (src/common/clock.h).
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

#define LISTENER_BACKLOG 16
#define LISTENER_RETRY_MS 100 /* after a failure of accept() */

struct listener {
    int fd;            /**< non-blocking; -1: closed */
    int64_t paused_ms; /**< accept nobody before this; 0: not paused */
    struct sockaddr_un address;
};

#define LISTENER_CLOSED ((struct listener){.fd = -1})

/**
 * Makes the socket's file, with mode 0600, and listens.
 *
 * @param type SOCK_STREAM or SOCK_SEQPACKET
 * @param path where nothing is, short enough for an address
 * @return 0, or -1 with errno, and then there is nothing to close
 */
int listener_open(struct listener *listener, int type, const char *path);

/** Lets the file's group in, too. 0, or -1 with errno. */
int listener_admit_group(const struct listener *listener);

/** Closes it and removes its file. A closed one is allowed. */
void listener_close(struct listener *listener);

/** What to poll for: a program that comes, unless accepting is paused. */
struct pollfd listener_wishes(const struct listener *listener, int64_t now);

/** When to poll anew because a pause ends; NEVER_MS without one. */
int64_t listener_due_ms(const struct listener *listener, int64_t now);

/**
 * Accepts a program. After a failure that time may mend, such as too few descriptors, accepting pauses: the socket
 * would poll readable all the while.
 *
 * @return a non-blocking, close-on-exec socket for the caller to close; -1 with errno: EAGAIN when nobody came or the
 *         pause goes on, another value when a pause begins that a message should tell of
 */
int listener_accept(struct listener *listener, int64_t now);

/**
 * Whether the process that connected may be served: it is root's, or of this process's user, or of the socket file's
 * group when the file's mode lets its group write. The file's mode decided whether it could connect; this holds also
 * for a connected socket that was passed on.
 */
bool listener_admits(const struct listener *listener, int client);
