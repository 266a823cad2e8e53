/* SPDX-License-Identifier: BSD-2-Clause */
/* A long stream between guests, cut into pieces at random: neither end knows where the other cuts. */
#pragma once

#include <crossvm/end_channel.h>

/**
 * Sends so many blocks of STREAM_BLOCK bytes that follow from a seed, and waits until the other end has taken them.
 *
 * @return NULL, or what went wrong, valid until the next call
 */
const char *stream_give(crossvm_end_t *end, uint32_t blocks);

/** Receives them until end of file, and compares every byte. Returns as stream_give(). */
const char *stream_take(crossvm_end_t *end, uint32_t blocks);

#define STREAM_BLOCK 65536
