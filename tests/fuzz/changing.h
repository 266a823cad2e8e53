/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Included before each file that is compiled against memory that changes: before each atomic load, the target may
 * change whatever an enemy shares with that code.
 */
#pragma once

#include <stddef.h>

/** The target's: this is about to be loaded. */
void memory_changes(const volatile void *at, size_t size);

#define __atomic_load_n(at, order) (memory_changes((at), sizeof(*(at))), *(const volatile __typeof__(*(at)) *)(at))
