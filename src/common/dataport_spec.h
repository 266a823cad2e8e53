/* SPDX-License-Identifier: BSD-2-Clause */
/* What a person says of a dataport: its size, and which end writes it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <crossvm/device.h>

/** Instead of the number of an end: both write. */
#define WRITER_BOTH (-1)

struct dataport_spec {
    uint64_t size; /**< bytes, a multiple of CROSSVM_PAGE_SIZE */
    int writer;    /**< 0 or 1: only that end writes; or WRITER_BOTH */
};

/** What a BAR of so many bytes takes of a guest's physical addresses: the next power of two, at least a page. */
static inline uint64_t bar_bytes(uint64_t size)
{
    uint64_t bytes = CROSSVM_PAGE_SIZE;

    while (bytes < size)
        bytes *= 2;
    return bytes;
}

/** CROSSVM_RIGHT_* of an end. */
static inline uint32_t dataport_rights(const struct dataport_spec *dataport, unsigned int end)
{
    bool writes = dataport->writer == WRITER_BOTH || (unsigned int)dataport->writer == end;

    return writes ? CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE : CROSSVM_RIGHT_READ;
}

/**
 * Reads SIZE[:WRITER].
 *
 * @param ends   what WRITER calls end 0 and end 1; "both" is the third word
 * @param reason receives what is wrong with the text, as the rest of a sentence that names it
 * @return false when something is wrong
 */
bool dataport_spec_parse(const char *text, const char *const ends[2], struct dataport_spec *dataport, char reason[128]);
