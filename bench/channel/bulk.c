/* SPDX-License-Identifier: BSD-2-Clause */
#include "rival.h"

void fill_bulk(uint64_t *words, uint64_t number)
{
    for (size_t i = 0; i < BULK_BYTES / 8; i++)
        words[i] = number + i;
}

void check_bulk(const uint64_t *words, uint64_t number)
{
    uint64_t sum = 0, expected = number * (BULK_BYTES / 8) + (uint64_t)(BULK_BYTES / 8) * (BULK_BYTES / 8 - 1) / 2;

    for (size_t i = 0; i < BULK_BYTES / 8; i++)
        sum += words[i];
    if (sum != expected)
        die("bulk message %llu changed on its way", (unsigned long long)number);
}
