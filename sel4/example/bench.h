/* SPDX-License-Identifier: BSD-2-Clause */
/* The other side of `crossvm bench`. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <crossvm/channel.h>

/** Whether a message asks for a measurement. */
bool bench_is_order(const void *message, size_t length);

/**
 * Receives an order and does what it asks: blocks until that is done.
 *
 * @return 0, or a negative errno value, which ends the session
 */
int bench_obey(crossvm_channel_t *channel);
