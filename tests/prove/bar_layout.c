/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where BARs go: inside of what they may use, aligned to their size, and over nothing else.
 *
 * Assumed: sizes that are powers of two from a page to 2 GiB, and what is used below 4 GiB, as cvmm_check_configs() and
 * libsel4vm see to. Bounds: two BARs beside one range that is taken.
 */
#include <crossvm/device.h>

#include "prove.h"

#include "../../src/vmm/bar_layout.c"

#define NUM_BARS 2
#define NUM_USED 1

static bool overlap(const struct range *a, const struct range *b)
{
    return a->address < (uint64_t)b->address + b->size && b->address < (uint64_t)a->address + a->size;
}

void prove_layout(void)
{
    uint64_t base = nondet_u64(), end = nondet_u64();
    struct range used[NUM_USED], bars[NUM_BARS];
    struct range *requests[NUM_BARS];

    assume(base < end && end <= (uint64_t)1 << 32);
    for (size_t i = 0; i < NUM_USED; i++) {
        used[i].size = nondet_size();
        used[i].address = nondet_size();
        assume(used[i].size > 0 && used[i].size <= (size_t)1 << 31 && used[i].address <= UINT32_MAX);
    }
    for (size_t i = 0; i < NUM_BARS; i++) {
        bars[i].size = nondet_size();
        assume(bars[i].size >= CROSSVM_PAGE_SIZE && bars[i].size <= (size_t)1 << 31 &&
               (bars[i].size & (bars[i].size - 1)) == 0);
        requests[i] = &bars[i];
    }
    if (cvmm_bar_layout_assign(base, end, used, NUM_USED, requests, NUM_BARS))
        return;
    for (size_t i = 0; i < NUM_BARS; i++) {
        prove(bars[i].address >= base && bars[i].address + bars[i].size <= end, "a BAR is inside");
        prove((bars[i].address & (bars[i].size - 1)) == 0, "a BAR is aligned to its size");
        for (size_t j = 0; j < NUM_USED; j++)
            prove(!overlap(&bars[i], &used[j]), "a BAR is over nothing that was taken");
    }
    prove(!overlap(&bars[0], &bars[1]), "BARs are not over each other");
    reached();
}
