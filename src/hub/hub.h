/* SPDX-License-Identifier: BSD-2-Clause */
/* A hub: connections with the doors of their ends, which one loop serves. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "connection.h"

struct hub;

/** Words for doors in options and paths: host, crossvm-vm, vfio-user, ivshmem. */
const char *hub_door_word(enum crossvm_door door);

/**
 * Where an end is taken: DIR/NAME.sock by programs, DIR/NAME@VM.DOOR by the VMM of that VM.
 *
 * @param connection name of it
 * @param path       receives config->path where there is one
 * @return false when the path is too long for a socket
 */
bool hub_socket_path(char path[PATH_MAX], const char *dir, const char *connection, const struct hub_end_config *config);

/** How many descriptors a hub takes for a connection at most, whoever comes to its doors and whatever they do. */
size_t hub_descriptors(const struct hub_connection_config *config);

/** Bytes of the largest file that it makes for a connection. */
uint64_t hub_file_bytes(const struct hub_connection_config *config);

/** Descriptors that a hub takes besides: standard ones, loop, bell, its end, asynchronous I/O, a spare one. */
#define HUB_DESCRIPTORS 10

/**
 * Makes a hub without connections.
 *
 * @param dir   of sockets; it has to outlive the hub
 * @param stats tell what each VMM asked, when it leaves
 * @return NULL after a message
 */
struct hub *hub_create(const char *dir, bool stats);

/** Makes a connection and opens both doors. 0, or -1 after a message: then the hub is good for hub_destroy() only. */
int hub_add(struct hub *hub, const struct hub_connection_config *config);

/** Serves until a descriptor polls readable. 0, or -1 after a message. */
int hub_serve(struct hub *hub, int stop);

/**
 * Serves in a thread until hub_destroy(). When that fails, the process gets SIGTERM after a message.
 *
 * @param begin what the thread begins with: returns 0, or -1 after a message; may be NULL
 * @return 0, or -1 after a message
 */
int hub_start(struct hub *hub, int (*begin)(void));

/** Puts out everybody and frees it. NULL is allowed. */
void hub_destroy(struct hub *hub);
