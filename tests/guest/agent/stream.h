/* SPDX-License-Identifier: BSD-2-Clause */
/* A long stream between guests, cut into pieces at random: neither end knows where the other cuts. */
#pragma once

#include <crossvm/end_channel.h>

#define STREAM_BLOCK 65536 /* bytes */

/** Sends so many blocks that follow from a seed, and waits until the other end has taken them. Errors fail the case. */
void stream_give(crossvm_end_t *end, uint32_t blocks);

/** Receives them until end of file, and compares every byte. Errors fail the case. */
void stream_take(crossvm_end_t *end, uint32_t blocks);
