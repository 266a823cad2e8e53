/* SPDX-License-Identifier: BSD-2-Clause */
#include "bar_layout.h"

/* Stable, so that equal sizes stay in the order of the devices; a few hundred requests at most. */
static void sort_by_size(struct range **requests, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct range *moved = requests[i];
        size_t j = i;

        for (; j > 0 && requests[j - 1]->size < moved->size; j--)
            requests[j] = requests[j - 1];
        requests[j] = moved;
    }
}

static uint64_t align_up(uint64_t address, uint64_t size)
{
    return (address + size - 1) & ~(size - 1);
}

static const struct range *find_overlap(const struct range *used, size_t num_used, uint64_t address, size_t size)
{
    for (size_t i = 0; i < num_used; i++) {
        if (address < (uint64_t)used[i].address + used[i].size && used[i].address < address + size)
            return &used[i];
    }
    return NULL;
}

/* What is in the way at that address: a range that was taken before, or one that has its address by now. */
static const struct range *find_obstacle(const struct range *used, size_t num_used, struct range *const *placed,
                                         size_t num_placed, const struct range *request, uint64_t address)
{
    const struct range *obstacle = find_overlap(used, num_used, address, request->size);

    for (size_t i = 0; i < num_placed && !obstacle; i++)
        obstacle = find_overlap(placed[i], 1, address, request->size);
    return obstacle;
}

int cvmm_bar_layout_assign(uint64_t base, uint64_t end, const struct range *used, size_t num_used,
                           struct range **requests, size_t n)
{
    sort_by_size(requests, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t address = align_up(base, requests[i]->size);
        const struct range *obstacle;

        while ((obstacle = find_obstacle(used, num_used, requests, i, requests[i], address)))
            address = align_up((uint64_t)obstacle->address + obstacle->size, requests[i]->size);
        if (address + requests[i]->size > end)
            return -1;
        requests[i]->address = (uintptr_t)address;
    }
    return 0;
}
