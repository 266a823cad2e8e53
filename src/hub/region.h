/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One memory with all that the ends of a connection share, for doors that have only one to give (docs/device.md,
 * section 8): the pages of both ends, then the dataports.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "../common/dataport_spec.h"

/** Bytes before the dataports. */
#define REGION_FRONT_BYTES CROSSVM_REGION_DATAPORTS

struct region {
    int memfd;      /**< -1: none */
    int read_only;  /**< another descriptor of it, for reading only */
    uint8_t *front; /**< the pages before the dataports, mapped here; guests write there what they like */
    uint64_t offsets[CROSSVM_MAX_DATAPORTS]; /**< of the dataports */
};

/** No region: region_destroy() may have it. */
#define REGION_NONE ((struct region){.memfd = -1, .read_only = -1})

/** Bytes of a region with these dataports, and so no less than any of them has. */
uint64_t region_bytes(const struct dataport_spec *dataports, size_t n);

/**
 * Makes a region of zeros.
 *
 * @param name for /proc
 * @return 0, or -1 with errno, and then there is nothing to destroy
 */
int region_create(struct region *region, const char *name, const struct dataport_spec *dataports, size_t n);

/** Writes what tells a region from any other memory, after its pages are filled. */
void region_write_header(const struct region *region);

void region_destroy(struct region *region);
