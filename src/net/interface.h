/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network interface of Linux whose frames this process carries (TUN/TAP; Linux's
 * Documentation/networking/tuntap.rst). Each frame has a header in front, in which the kernel leaves work to the other
 * end's kernel.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hello.h"

/** The header: struct virtio_net_hdr (VIRTIO 1.2, section 5.1.6), without num_buffers, little-endian. */
#define INTERFACE_HEADER_BYTES 10

/** What a frame has beyond its IP packet: the header, and Ethernet's with a VLAN's tag. */
#define INTERFACE_EXTRA_BYTES (INTERFACE_HEADER_BYTES + 18)

/** The longest frame, of a kernel that leaves segmentation to the other end. */
#define INTERFACE_LONGEST_FRAME (INTERFACE_EXTRA_BYTES + 65535)

#define INTERFACE_MAX_ADDRESSES 8

/** What an interface is to be. */
struct interface_config {
    const char *name; /**< NULL: the first of crossvm0, crossvm1, ... that is free */
    enum net_layer layer;
    /**
     * What the hardware address of a new interface is made of: the same seed gives the same address. Else it would be
     * another one at each start, and the machine at the other end would send to the one before for half a minute.
     */
    const char *seed;
    unsigned int mtu;                               /**< bytes of IP; 0: as it is, which is 1500 for a new one */
    const char *addresses[INTERFACE_MAX_ADDRESSES]; /**< ADDRESS/PREFIX; NULL behind the last */
};

struct interface {
    int fd; /**< a read gives a frame, a write takes one; non-blocking */
    char name[IFNAMSIZ];
    enum net_layer layer;
    unsigned int mtu;
    uint32_t offloads; /**< NET_OFFLOAD_*: what the kernel takes */
};

/**
 * Makes an interface, or takes one that was made to last (`ip tuntap add`). Without addresses it stays as it is: up or
 * down, with whatever addresses. Nothing goes through before interface_set_carrier().
 *
 * @return 0, or -1 after a message
 */
int interface_open(struct interface *interface, const struct interface_config *config);

/** Whether ADDRESS/PREFIX is one. */
bool interface_is_address(const char *text);

/** What the other end's kernel takes (NET_OFFLOAD_*): this one's then leaves it that work. -1 after a message. */
int interface_leave_work(const struct interface *interface, uint32_t offloads);

/** Says whether the other end is there, as a cable's plug would. -1 after a message. */
int interface_set_carrier(const struct interface *interface, bool here);

/** Closes it; one that was not made to last is gone then. */
void interface_close(struct interface *interface);
