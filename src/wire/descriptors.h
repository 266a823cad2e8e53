/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages with file descriptors over Unix sockets.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/** The most that a message carries. */
#define DESCRIPTORS_MAX 8

/** Sends a message with n descriptors, which stay the caller's. Never waits. 0, or -1 with errno. */
int descriptors_send(int socket, const void *message, size_t size, const int *fds, size_t n);

/**
 * Receives a message. Descriptors are close-on-exec and the caller's; those beyond max are closed.
 *
 * @param fds receives up to max of them; the rest of the array becomes -1
 * @param n   receives how many came
 * @return the length of the message, 0 at the end, or -1 with errno
 */
ssize_t descriptors_receive(int socket, void *message, size_t size, int *fds, size_t max, size_t *n);
