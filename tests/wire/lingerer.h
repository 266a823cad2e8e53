/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP socket that waits at its last close() until the receiver, which takes nothing, is closed: for longer than any
 * test.
 */
#pragma once

struct lingerer {
    int sender, receiver;
};

void lingerer_make(struct lingerer *made);

/** Sends it, so that the queue of the socket at the other side has the last reference. */
void lingerer_send(struct lingerer *sent, int socket, const void *bytes, size_t size);
