/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A socket with a name, where programs come: DIR/NAME.sock.
 */
#pragma once

#include <stdbool.h>
#include <sys/un.h>

struct door {
    int listener; /**< non-blocking; -1: closed */
    int lock;     /**< of DIR/NAME.lock, held while the socket is ours; -1: none */
    struct sockaddr_un address;
    bool bound;
};

/**
 * Listens. The directory is made (mode 0700) when it is missing. A socket that a dead process left is replaced; one
 * that a live process serves is an error.
 *
 * @return 0, or -1 after a message; door_close() frees, also after a failure
 */
int door_open(struct door *door, const char *dir, const char *name);

/** Closes and removes the socket. */
void door_close(struct door *door);
