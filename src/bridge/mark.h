/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far a bridge has come, for the one that has its end after it: bytes of the channel's memory that the protocol
 * does not use (docs/channel.md, section 3). A bridge that is killed leaves its datagrams in the rings, and here, which
 * of them the streams have. The other end can write here, too: it could mislead this bridge only about its own
 * datagrams.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "ahead.h"

#define MARK_AT 0x30                /* in this end's block */
#define MARK_UNKNOWN ((uint64_t)-1) /* instead of a sequence number: the stream was not asked yet */

#define MARK_VALID 0xffffffffu

/** As it lies in memory. Each word is written before what makes it count. */
struct mark {
    uint32_t magic;
    uint32_t valid;   /* MARK_VALID: the rest is about the session that ACK in the same block has begun, or will */
    uint32_t purpose; /* of the subjects and streams: others are of no use */
    uint32_t taken;   /* which half of `from` counts */
    struct {
        uint64_t sequence;
        uint32_t index, position;
    } from[2];
    uint64_t to_sequence[2];
    uint32_t to_index[2];
    uint32_t from_part[2];
};

_Static_assert(sizeof(struct mark) == 0x50, "it fills the group of control words");

/** What a mark says. */
struct mark_state {
    struct ahead_place taken; /**< datagrams from the other end before this place are in the stream ... */
    uint64_t stored;          /**< ... whose last one of them has this sequence number; or MARK_UNKNOWN */
    uint64_t given;           /**< what the stream has up to this number was put into the ring */
};

/** A number for what a bridge does, that others do not have. */
uint32_t mark_purpose(const char *const texts[], size_t num_texts);

/** Begins the mark of a session, while there is none (ACK is 0): from its first datagram on, there is one. */
void mark_begin(struct mark *mark, uint32_t purpose, uint64_t stored, uint64_t given);

/** Notes, before the ring's memory goes back to the other end, that a stream has what is before a place. */
void mark_taken(struct mark *mark, struct ahead_place place, uint64_t stored);

/** Notes, before PRODUCED says `index`, what will be in the ring then. */
void mark_given(struct mark *mark, uint32_t index, uint64_t sequence);

/**
 * Reads what a predecessor left.
 *
 * @param ack      ACK of this end's block
 * @param produced PRODUCED of it
 * @return false if it is of another bridge, or of a session that is over
 */
bool mark_read(const struct mark *mark, uint32_t purpose, uint32_t ack, uint32_t produced, struct mark_state *state);
