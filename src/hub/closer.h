/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Closes descriptors that a client sent, without waiting for the client: to close a file of FUSE, or of a file system
 * on a network, means to wait for whoever serves that. So it is done in a thread, and the door of that client lets
 * nobody in meanwhile: one door has one such thread at most.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "loop.h"

/** The most descriptors to close at once. */
#define HUB_CLOSER_MAX 8

struct hub_closing;

struct hub_closer {
    struct hub_source source; /**< first: an eventfd that the thread signals; fd -1: nothing is being closed */
    struct hub_loop *loop;
    struct hub_closing *closing;
    void (*ended)(struct hub_closer *closer); /**< all is closed */
};

void hub_closer_init(struct hub_closer *closer, struct hub_loop *loop, void (*ended)(struct hub_closer *closer));

/**
 * Closes descriptors, of which those that are -1 do not count.
 *
 * @param n HUB_CLOSER_MAX or less
 * @return false when all is closed; true: ended() will be called, and this must not be called before
 */
bool hub_closer_close(struct hub_closer *closer, const int *fds, size_t n);

/** ended() is not called any more. The thread goes on for as long as it has to wait. */
void hub_closer_destroy(struct hub_closer *closer);
