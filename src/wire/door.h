/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A socket with a name, where host programs come for an end: DIR/NAME.sock. One process at a time serves a name.
 *
 * The directory has to be safe (src/wire/socket_directory.h) and no symbolic link.
 */
#pragma once

#include <stddef.h>
#include <sys/un.h>

#include "listener.h"

/* Programs at an end at once. Further ones take the place of the one that has been silent for longest. */
#define DOOR_MAX_CLIENTS 16

/* A program that does not own the end and asks nothing for so long is sent away. */
#define DOOR_SILENCE_MS 5000

struct door {
    struct listener listener;
    int lock;                                                       /**< held while the name is ours; -1: none */
    char lock_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /**< DIR/NAME.lock */
};

#define DOOR_CLOSED ((struct door){.listener = LISTENER_CLOSED, .lock = -1})

/**
 * Listens. The directory is made (mode 0700) when it is missing. A socket that a dead process left is replaced; one
 * that a live process serves is an error.
 *
 * @return 0, or -1 after a message, and then there is nothing to close
 */
int door_open(struct door *door, const char *dir, const char *name);

/** Closes it and removes its files. A closed one is allowed. */
void door_close(struct door *door);
