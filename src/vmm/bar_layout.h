/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where BARs go in guest physical memory.
 *
 * A BAR's size is a power of two, and its address a multiple of that. Large BARs come first, each at the lowest free
 * address. Linux does it in the same way, so it finds nothing to move.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** Guest physical memory. */
struct range {
    uintptr_t address;
    size_t size; /**< bytes */
};

/**
 * Assigns the lowest free addresses.
 *
 * @param base, end addresses from base to end - 1 may be used
 * @param used      ranges that are taken, in any order
 * @param requests  n ranges with sizes, which receive addresses; the array is reordered
 * @return 0, or -1 if they do not fit
 */
int cvmm_bar_layout_assign(uint64_t base, uint64_t end, const struct range *used, size_t num_used,
                           struct range **requests, size_t n);
