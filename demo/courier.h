/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages over a dataport, one at a time: the simplest protocol that works, for the demonstration.
 *
 * The dataport has two halves, one for each direction. A sender writes a length and bytes into its half and rings; the
 * receiver copies them, clears the length and rings back. Both ends may send, but take turns.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <crossvm/crossvm.h>

/** One end of the exchange. */
struct courier {
    crossvm_t *end;
    unsigned char *out; /**< the half that this end writes */
    unsigned char *in;
    size_t room; /**< bytes of a message at most */
};

/** Opens a connection by name; first says who writes the first half. 0, or -1 after a message. */
int courier_open(struct courier *courier, const char *name, int first);
void courier_close(struct courier *courier);

/** Sends a message and waits until the other end took it. 0, or -1 after a message. */
int courier_send(struct courier *courier, const void *message, size_t length);

/** Waits for a message. Its length, or -1 after a message: the other end went, or it does not keep to the protocol. */
long courier_receive(struct courier *courier, void *message, size_t room);

/** Whether a message waits. */
bool courier_has_message(const struct courier *courier);

/** A whole file: its size, then its bytes in messages.. 0, or -1 after a message. */
int courier_send_file(struct courier *courier, const char *path);
int courier_receive_file(struct courier *courier, const char *path);
