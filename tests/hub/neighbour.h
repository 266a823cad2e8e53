/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Somebody else's connection of the same hub, "y", while enemies are at "x": a program and a VMM that must not notice.
 *
 * Include after cmocka.h.
 */
#pragma once

void neighbour_start(void);

/** One event each way: each comes, is counted once, and comes with an interrupt. */
void neighbour_check(void);

/** Checks once more, and closes all. */
void neighbour_end(void);
