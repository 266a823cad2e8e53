/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors that another process sends to one that must not wait for it. The last close() of a descriptor can take as
 * long as its sender likes: of a socket with SO_LINGER and data that nobody receives, or of a file whose file system is
 * a process. The kernel makes that close() also for descriptors that nobody takes out of a socket.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Whether a descriptor is an eventfd. Asks nobody but the kernel, unlike fstat() or poll(). */
bool foreign_is_eventfd(int fd);

/** Closes a descriptor that was sent: here if it is a usual one, else in a thread of its own. Never waits. */
void foreign_close(int fd);

/**
 * recv() with MSG_DONTWAIT. Descriptors that come with the message and are not wanted are closed.
 *
 * @param fds receives the first max of them, close-on-exec, which become the caller's, also on an error
 * @param n   receives how many came; may be NULL
 * @return as recv(); -1 with EMFILE when this process may have no more descriptors
 */
ssize_t foreign_receive(int socket, void *to, size_t size, int *fds, size_t max, size_t *n);

/** Closes a client's socket, and all that it has sent and nobody has received. Never waits. */
void foreign_hang_up(int socket);
