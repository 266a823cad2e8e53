/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first datagram of each end: what its interface is, and which frames it takes (docs/net.md, section 2).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_HELLO_BYTES 24

/** What lies in a frame. */
enum net_layer {
    NET_ETHERNET = 1, /**< a frame of Ethernet (TAP) */
    NET_IP = 2,       /**< a packet of IP (TUN) */
};

/* Work that an end's kernel does for what it is given: frames longer than the MTU, checksums that are not made yet. */
#define NET_OFFLOAD_CSUM 0x01u /**< the sum of TCP or UDP is left out */
#define NET_OFFLOAD_TSO4 0x02u /**< TCP over IPv4, to be cut into segments; with NET_OFFLOAD_CSUM */
#define NET_OFFLOAD_TSO6 0x04u /**< ... over IPv6 */
#define NET_OFFLOAD_ECN 0x08u  /**< ... with ECN's flags */
#define NET_OFFLOAD_USO4 0x20u /**< UDP over IPv4, to be cut into datagrams */
#define NET_OFFLOAD_USO6 0x40u /**< ... over IPv6 */

struct net_hello {
    enum net_layer layer;
    uint32_t mtu;      /**< bytes of IP */
    uint32_t offloads; /**< NET_OFFLOAD_*: what this end takes */
};

/** Writes it as the wire has it. */
void net_hello_put(uint8_t bytes[NET_HELLO_BYTES], const struct net_hello *hello);

/**
 * Reads what a peer sent. It may change under the reader: give it a copy.
 *
 * @return NULL; or what is wrong with it, in words that follow "the other end"
 */
const char *net_hello_get(struct net_hello *hello, const uint8_t *bytes, size_t length);
