/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the datagrams of a ring without taking them: those that are on their way to a stream stay in the ring until the
 * stream has them, so they outlive this process. The sender can write the ring at any time: nothing of it is believed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A place between two datagrams. */
struct ahead_place {
    uint32_t index;    /**< of the record (docs/channel.md, section 5) */
    uint32_t position; /**< the same in the ring */
    uint32_t part;     /**< datagrams before it in the same record: a batch has several */
};

struct ahead {
    const uint8_t *ring;
    uint32_t ring_bytes;
    uint32_t longest; /**< bytes of the longest datagram */
    struct ahead_place place;
    uint32_t batch; /* bytes of the batch that the place is in; 0: none */
    uint32_t each;  /* ... of each of its datagrams */
};

/** Bytes of the longest datagram of a ring (docs/channel.md, section 5). */
uint32_t ahead_longest(uint32_t ring_bytes);

/** Begins at a place. False if it cannot be one of this ring. */
bool ahead_begin(struct ahead *ahead, const uint8_t *ring, uint32_t ring_bytes, struct ahead_place place);

/**
 * Shows the next datagram.
 *
 * @param produced index up to which there are records
 * @return 1; 0 if there is none; -1 if what is there is no record
 */
int ahead_next(struct ahead *ahead, uint32_t produced, const uint8_t **data, uint32_t *length);
