/* SPDX-License-Identifier: BSD-2-Clause */
#include "samples.h"

#include <stdlib.h>

bool samples_create(struct samples *samples)
{
    *samples = (struct samples){.ns = malloc(MAX_SAMPLES * sizeof(*samples->ns))};
    return samples->ns != NULL;
}

void samples_free(struct samples *samples)
{
    free(samples->ns);
}

void samples_add(struct samples *samples, int64_t ns)
{
    if (samples->count < MAX_SAMPLES)
        samples->ns[samples->count++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

void samples_sort(struct samples *samples)
{
    qsort(samples->ns, samples->count, sizeof(*samples->ns), compare);
}

double samples_us(const struct samples *samples, size_t part)
{
    return samples->ns[samples->count - 1 - samples->count / part] / 1e3;
}
