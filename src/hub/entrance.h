/* SPDX-License-Identifier: BSD-2-Clause */
/* The socket of a door, in the loop. */
#pragma once

#include "../wire/door.h"
#include "loop.h"

struct hub_entrance {
    struct hub_source source; /**< first: the listening socket */
    struct hub_timer pause;   /**< the end of a pause of accepting */
    struct hub_loop *loop;
    struct door door;
    bool suspended;
    const char *name;
    int64_t complained_ms; /**< when hub_entrance_complain() last printed */
    /** Called for each client, with a non-blocking socket that is the callee's to close. */
    void (*welcome)(struct hub_entrance *entrance, int fd);
};

/** A closed one: what hub_entrance_close() may have. */
#define HUB_ENTRANCE_CLOSED ((struct hub_entrance){.door = DOOR_CLOSED})

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

/** Accepts nobody until hub_entrance_resume(): clients wait in the queue of the socket. */
void hub_entrance_suspend(struct hub_entrance *entrance);
void hub_entrance_resume(struct hub_entrance *entrance);

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
