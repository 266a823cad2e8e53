/* SPDX-License-Identifier: BSD-2-Clause */
/* A way by which one end of a connection is taken from the hub. Each kind of door is a file, door_KIND.c. */
#pragma once

#include "end.h"
#include "loop.h"

/** The first member of what each kind of door allocates. */
struct hub_door {
    void (*close)(struct hub_door *door); /**< frees the door, too */
};

/** Nobody comes in any more, and who is in is put out. NULL is allowed. */
static inline void hub_door_close(struct hub_door *door)
{
    if (door)
        door->close(door);
}

/**
 * A door for programs of this machine, which speak src/wire/wire.h.
 *
 * @param path of the socket
 * @param name of the end, for programs
 * @return NULL after a message
 */
struct hub_door *hub_door_host_open(struct hub_loop *loop, struct hub_end *end, const char *path, const char *name);

/**
 * A door for crossvm-vm, which speaks src/wire/wire.h.
 *
 * @param path of the socket
 * @return NULL after a message
 */
struct hub_door *hub_door_vm_open(struct hub_loop *loop, struct hub_end *end, const char *path);

/** Hands an end over to crossvm-vm at the other side of a socket, without a door. 0, or -1 with errno. */
int hub_door_vm_join(const struct hub_end *end, int socket);

/**
 * A door for a VMM that speaks vfio-user: its guest has the end as the PCI function of docs/device.md.
 *
 * @param path  of the socket
 * @param stats tell what each VMM asked, when it leaves
 * @return NULL after a message
 */
struct hub_door *hub_door_vfio_user_open(struct hub_loop *loop, struct hub_end *end, const char *path, bool stats);

/**
 * A door for a VMM with QEMU's ivshmem-doorbell: its guest has the end as docs/device.md, section 8, says.
 *
 * @param end  of a connection that was configured for ivshmem
 * @param path of the socket
 * @return NULL after a message
 */
struct hub_door *hub_door_ivshmem_open(struct hub_loop *loop, struct hub_end *end, const char *path);
