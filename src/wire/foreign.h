/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What clients send, to a process that must not wait for them. The last close() of a descriptor can take as long as its
 * sender likes: of a socket with SO_LINGER and data that nobody receives, or of a file whose file system is a process.
 * The kernel makes that close() also for descriptors that nobody takes out of a socket.
 *
 * So no descriptor leaves the queue of a socket before it is known what it is, and what may wait is closed in threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** The stack of a thread that closes. */
#define FOREIGN_THREAD_BYTES 0x20000u

/** What such threads ring when they end: an eventfd, for any number of closers. */
struct foreign_bell;

/** NULL with errno when there is no memory or descriptor. */
struct foreign_bell *foreign_bell_create(void);

/** Closers of it go on. NULL is allowed. */
void foreign_bell_free(struct foreign_bell *bell);

/** The eventfd, signalled when a thread has ended. Stays the bell's. */
int foreign_bell_fd(const struct foreign_bell *bell);

/** The threads that close what the clients of one door have sent. */
struct foreign_closer;

/** NULL when there is no memory. */
struct foreign_closer *foreign_closer_create(struct foreign_bell *bell);

/** Threads of it go on. NULL is allowed. */
void foreign_closer_free(struct foreign_closer *closer);

/** Whether anything is still to be closed. The bell rings after it has become less. */
bool foreign_closer_is_busy(const struct foreign_closer *closer);

/** Whether a descriptor is an eventfd. Asks nobody but the kernel, unlike fstat() or poll(). */
bool foreign_is_eventfd(int fd);

/**
 * Closes a descriptor that was sent: here if it is a usual one, else in a thread. Never waits.
 *
 * @param closer NULL: nobody asks for what is still to be closed
 * @return whether it is closed
 */
bool foreign_close(struct foreign_closer *closer, int fd);

/** The most descriptors that can be received with a message. */
#define FOREIGN_MAX_FDS 8

/**
 * recv() with MSG_DONTWAIT, of a message that comes with max descriptors or fewer.
 *
 * @param fds receives them, close-on-exec; they become the caller's, also on an error
 * @param max FOREIGN_MAX_FDS or less
 * @param n   receives how many came; NULL if max is 0
 * @return as recv(); -1 with EBADMSG when there are more, or EMFILE when this process may have no more: then nothing
 * was received, and the client is to be hung up on
 */
ssize_t foreign_receive(int socket, void *to, size_t size, int *fds, size_t max, size_t *n);

/** Closes a client's socket, and all that it has sent and nobody has received. @param closer as in foreign_close() */
void foreign_hang_up(struct foreign_closer *closer, int socket);
