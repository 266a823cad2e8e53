/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages with file descriptors over Unix sockets.
 *
 * libcrossvm has these functions, too: hence the prefix.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** The most that a message carries. */
#define DESCRIPTORS_MAX 8

/** Sends a message with n descriptors, which stay the caller's. Never waits. 0, or -1 with errno. */
int cvm_descriptors_send(int socket, const void *message, size_t size, const int *fds, size_t n);

/**
 * Receives a message. Never waits. Descriptors are close-on-exec, 3 or more, and the caller's, also on an error. Those
 * beyond max are closed.
 *
 * @param fds receives up to max of them, DESCRIPTORS_MAX or less; the rest of the array becomes -1
 * @param n   receives how many came; more than max if it is not known how many more there were
 * @return the length of the message, 0 at the end, or -1 with errno: EMFILE when this process may have no more
 */
ssize_t cvm_descriptors_receive(int socket, void *message, size_t size, int *fds, size_t max, size_t *n);
