/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where BARs go in guest physical memory.
 *
 * A BAR is a power of two and lies at a multiple of its size. Large ones come first, each at the lowest
 * address that is free: this is how Linux would place them itself, so that it finds nothing to move.
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
 * Places requests at the lowest addresses.
 *
 * @param base, end what may be used: base up to end - 1
 * @param used      ranges that are taken, in any order
 * @param requests  n of them: sizes are given, addresses are filled in; the array is reordered
 * @return 0, or -1 when they do not fit
 */
int cvmm_layout_assign(uint64_t base, uint64_t end, const struct range *used, size_t num_used, struct range **requests,
                       size_t n);
