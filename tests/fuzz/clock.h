/* SPDX-License-Identifier: BSD-2-Clause */
/* A monotonic clock that a target moves, and poll(): what an input does depends on no other, and waits for nothing. */
#pragma once

#include <stdint.h>

/** The same time at the start of each input. */
void clock_start(void);

void clock_advance(uint32_t ms);
