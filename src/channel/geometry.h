/* SPDX-License-Identifier: BSD-2-Clause */
/* Sizes that both ends of a channel compute from that of the dataport (docs/channel.md, sections 4 and 5). */
#pragma once

#include <crossvm/channel_layout.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes of each ring. @param dataport_bytes CROSSVM_CHANNEL_MIN_SIZE or more */
static inline uint32_t channel_geometry_ring(size_t dataport_bytes)
{
    size_t bytes = (dataport_bytes - CROSSVM_CHANNEL_RINGS_AT) / 2;

    if (bytes > CROSSVM_CHANNEL_MAX_RING)
        bytes = CROSSVM_CHANNEL_MAX_RING;
    return (uint32_t)(bytes - bytes % CROSSVM_CHANNEL_RING_ALIGN);
}

/** The most bytes that a receiver withholds. */
static inline uint32_t channel_geometry_withheld(uint32_t ring)
{
    uint32_t bytes = ring / 8 < 16384 ? ring / 8 : 16384;

    return bytes - bytes % CROSSVM_CHANNEL_RECORD_ALIGN;
}

/**
 * Bytes of the longest record, with its header. It fits at any ring position while the receiver withholds as much as it
 * may. Before it, the sender skips a rest of the ring that is too short: at most 8 bytes less than the record takes.
 */
static inline uint32_t channel_geometry_record(uint32_t ring)
{
    uint32_t bytes = (ring - channel_geometry_withheld(ring) + CROSSVM_CHANNEL_RECORD_ALIGN) / 2;

    return bytes - bytes % CROSSVM_CHANNEL_RECORD_ALIGN;
}
