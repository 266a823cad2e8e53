/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket of a door, in the loop. */
#pragma once

#include "../wire/door.h"
#include "../wire/foreign.h"
#include "loop.h"

struct hub_entrance {
    struct hub_source source; /**< first: the listening socket */
    struct hub_timer pause;   /**< the end of a pause of accepting */
    struct hub_loop *loop;
    struct door door;
    struct foreign_closer *closer; /**< for what clients have sent; nobody is let in while it is busy */
    struct hub_look closed;        /**< whether it still is, when it may be no more */
    const char *name;
    int64_t complained_ms; /**< when hub_entrance_complain() last printed */
    /** Called for each client, with a non-blocking socket that is the callee's to close. */
    void (*welcome)(struct hub_entrance *entrance, int fd);
    /** Called when nothing is left to be closed; may be NULL. */
    void (*all_is_closed)(struct hub_entrance *entrance);
};

/** A closed one: what hub_entrance_close() may have. */
#define HUB_ENTRANCE_CLOSED ((struct hub_entrance){.door = DOOR_CLOSED})

/** The most descriptors that it has, beside those of its clients: listener, lock, one turned away. */
#define HUB_ENTRANCE_DESCRIPTORS 3

/**
 * Listens, as door_open_at() has it.
 *
 * @param name of the end, for messages; it has to outlive the entrance
 * @param type SOCK_SEQPACKET or SOCK_STREAM
 * @return 0, or -1 after a message, and then there is nothing to close
 */
int hub_entrance_open(struct hub_entrance *entrance, struct hub_loop *loop, int type, const char *path,
                      const char *name, void (*welcome)(struct hub_entrance *, int));

/** Whether the process at the other side of a client's socket may be served. */
bool hub_entrance_admits(const struct hub_entrance *entrance, int fd);

/**
 * Whether a VMM's socket may be taken in, at a door for one VMM at a time. If not, it is closed, after a message to a
 * VMM's user who may have the end.
 *
 * @param taken a VMM is there
 */
bool hub_entrance_lets_in(struct hub_entrance *entrance, int fd, bool taken);

/** Complains that a client cannot have the end. A client that has left is no reason. @param error negative errno value
 */
void hub_entrance_cannot_hand_over(struct hub_entrance *entrance, int error);

/** Closes a client's socket with all that is in it, as foreign_hang_up(). */
void hub_entrance_hang_up(struct hub_entrance *entrance, int fd);

/** Closes what a client has sent, as foreign_close(). After false, all_is_closed() will be called. */
bool hub_entrance_dispose(struct hub_entrance *entrance, int fd);

/** Where it is, for messages. */
const char *hub_entrance_path(const struct hub_entrance *entrance);

/**
 * Prints a message about the connection, unless that would wait for whoever reads standard error: a hub waits for
 * nobody.
 */
void hub_entrance_say(const struct hub_entrance *entrance, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** The same for what clients can cause: at most one a second. */
void hub_entrance_complain(struct hub_entrance *entrance, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Closes it and removes its files. */
void hub_entrance_close(struct hub_entrance *entrance);
