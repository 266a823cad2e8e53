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
    const char *name;
    int64_t said_ms; /**< when hub_entrance_may_say() last allowed a message */
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

/** Whether a message that clients can cause may be printed now: one a second is. */
bool hub_entrance_may_say(struct hub_entrance *entrance);

/** Closes it and removes its files. */
void hub_entrance_close(struct hub_entrance *entrance);
