/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses of sockets as people write them:
 *
 *     22, 127.0.0.1:22, [::1]:22, localhost:22   TCP; a port alone is one of 127.0.0.1
 *     /run/service.sock                          Unix, stream
 *     seqpacket:/run/service.sock                Unix, packets
 *     vsock:CID:PORT                             vsock; CID is a number or "any"
 *
 * There are no names of hosts: to look one up needs files and sockets, which a confined process does not have.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <linux/vm_sockets.h>

#define ADDRESS_TEXT_BYTES 128 /* room for the text of any address */

struct address {
    int type; /**< SOCK_STREAM or SOCK_SEQPACKET */
    socklen_t length;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_vm vm;
    } socket;
};

/**
 * Reads an address.
 *
 * @param rest receives what follows it, which begins with a colon or is empty; NULL: nothing may follow
 * @return false when the text does not begin with one
 */
bool address_parse(const char *text, const char **rest, struct address *address);

/** Writes an address the one way that address_parse() reads as the same one. Returns the buffer. */
const char *address_format(char buffer[ADDRESS_TEXT_BYTES], const struct address *address);

/** Opens a socket that listens, and tells its real address, since port 0 is any. -1 with errno. */
int address_listen(struct address *address);

/** Opens a socket, and begins to connect it. -1 with errno.
 *
 * @param connecting receives whether it is not connected yet
 */
int address_connect(const struct address *address, bool *connecting);

/** Prepares a socket that was accepted or connected: what is written is sent at once. */
void address_set_up(int fd, int family);
