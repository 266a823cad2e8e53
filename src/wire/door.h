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

/* Programs at an end at once. For a further one, the program that has been silent for longest is dropped. */
#define DOOR_MAX_CLIENTS 16

/* A program that does not own the end is dropped when it has asked nothing for this time. */
#define DOOR_SILENCE_MS 5000

#define DOOR_PATH_BYTES sizeof(((struct sockaddr_un *)NULL)->sun_path)

struct door {
    struct listener listener;
    int lock;                        /**< held while the name is ours; -1: not */
    char lock_path[DOOR_PATH_BYTES]; /**< DIR/NAME.lock */
};

#define DOOR_CLOSED ((struct door){.listener = LISTENER_CLOSED, .lock = -1})

/**
 * Listens. The directory is made (mode 0700) when it is missing. A socket that a dead process left is replaced; one
 * that a live process serves is an error.
 *
 * @return 0, or -1 after a message, and then there is nothing to close
 */
int door_open(struct door *door, const char *dir, const char *name);

/**
 * The same at any path, with another type of socket. The lock is the path with .lock in place of .sock, or added.
 *
 * @param name for messages
 */
int door_open_at(struct door *door, int type, const char *path, const char *name);

/** Closes it and removes its files. A closed one is allowed. */
void door_close(struct door *door);
