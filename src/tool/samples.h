/* SPDX-License-Identifier: BSD-2-Clause */
/* Durations that were measured, and what sums them up. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_SAMPLES 1000000

struct samples {
    uint32_t *ns; /* in ascending order after samples_sort() */
    size_t count;
};

/** Makes room for MAX_SAMPLES. False without memory. */
bool samples_create(struct samples *samples);

void samples_free(struct samples *samples);

/** Adds one; leaves it out when there is no more room. */
void samples_add(struct samples *samples, int64_t ns);

/** Sorts them, for samples_us(). */
void samples_sort(struct samples *samples);

/** The sample, in microseconds, that one in `part` exceeds: 2 gives the median, 100 the 99th percentile. */
double samples_us(const struct samples *samples, size_t part);
