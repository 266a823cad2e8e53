/* SPDX-License-Identifier: BSD-2-Clause */
/* A monotonic clock that a target moves: what an input does depends on no other. */
#pragma once

#include <stdint.h>

/** The same time at the start of each input. */
void clock_start(void);

void clock_advance(uint32_t ms);
