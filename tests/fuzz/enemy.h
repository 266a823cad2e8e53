/* SPDX-License-Identifier: BSD-2-Clause */
/* What an enemy sends at a socket: bytes, with descriptors of any kind. */
#pragma once

#include "fuzz.h"

/** The most descriptors of a message. */
#define ENEMY_MOST_FDS 12

/** Makes a descriptor for the caller to close: an eventfd, memory or something else that an input chooses. */
int enemy_descriptor(struct input *input);

/**
 * Sends a message with descriptors, and closes them here. Never waits: what a full socket does not take is lost.
 *
 * @return whether it was sent
 */
int enemy_send(int socket, const void *bytes, size_t size, int *fds, size_t n);

/** Makes up to `most` descriptors that an input chooses. Returns how many. */
size_t enemy_descriptors(struct input *input, int fds[ENEMY_MOST_FDS], size_t most);

/** Descriptors of this process. */
int count_descriptors(void);
