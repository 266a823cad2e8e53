/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A channel's shared memory: offsets and values, constants only. docs/channel.md is the specification; section numbers
 * below refer to it.
 *
 * All words have 32 bits, are little-endian and naturally aligned, and each is written by one end only.
 */
#ifndef CROSSVM_CHANNEL_LAYOUT_H
#define CROSSVM_CHANNEL_LAYOUT_H

#define CROSSVM_CHANNEL_MIN_SIZE 0x1000     /* bytes of the smallest dataport */
#define CROSSVM_CHANNEL_MAX_RING 0x40000000 /* bytes of the largest ring */

/* The block of end 0 or 1 (section 3), offsets from the start of the dataport. Three groups of words, 128 bytes apart,
 * so that what the two ends write, and what senders and receivers write, never shares a cache line. */
#define CROSSVM_CHANNEL_BLOCK_AT(end) (0x180 * (end))

/* Control: parameters and the session. */
#define CROSSVM_CHANNEL_MAGIC_AT 0x00
#define CROSSVM_CHANNEL_VERSION_AT 0x04
#define CROSSVM_CHANNEL_FEATURES_AT 0x08
#define CROSSVM_CHANNEL_MODE_AT 0x0c
#define CROSSVM_CHANNEL_RING_BYTES_AT 0x10
#define CROSSVM_CHANNEL_GENERATION_AT 0x20 /* not 0; another one for each opening */
#define CROSSVM_CHANNEL_ACK_AT 0x24        /* generation of the peer that this end is in a session with, or 0 */

/* Sender. */
#define CROSSVM_CHANNEL_PRODUCED_AT 0x80  /* bytes put into this end's ring, modulo 2^32 */
#define CROSSVM_CHANNEL_SEND_WAKE_AT 0x84 /* CROSSVM_CHANNEL_WAKE_EMIT: tell me of space */
#define CROSSVM_CHANNEL_SEND_WANT_AT 0x88 /* ... once the peer's CONSUMED has reached this */
#define CROSSVM_CHANNEL_FIN_AT 0x8c       /* this end's generation: nothing follows PRODUCED */

/* Receiver. */
#define CROSSVM_CHANNEL_CONSUMED_AT 0x100  /* bytes taken out of the peer's ring, modulo 2^32 */
#define CROSSVM_CHANNEL_RECV_WAKE_AT 0x104 /* CROSSVM_CHANNEL_WAKE_*: tell me of data */
#define CROSSVM_CHANNEL_STOP_AT 0x108      /* this end's generation: it takes nothing any more */

/* Values (section 3). */
#define CROSSVM_CHANNEL_MAGIC 0x48435643 /* "CVCH" */
#define CROSSVM_CHANNEL_VERSION_MAJOR 1
#define CROSSVM_CHANNEL_VERSION_MINOR 0
#define CROSSVM_CHANNEL_VERSION (CROSSVM_CHANNEL_VERSION_MAJOR << 16 | CROSSVM_CHANNEL_VERSION_MINOR)
#define CROSSVM_CHANNEL_STREAM 1
#define CROSSVM_CHANNEL_DATAGRAM 2
#define CROSSVM_CHANNEL_FEATURE_BATCHES 0x1                      /* a record may hold several datagrams (section 5) */
#define CROSSVM_CHANNEL_FEATURES CROSSVM_CHANNEL_FEATURE_BATCHES /* a session has those that both ends offer */

/* A wake word: two flags, and above them a number that changes each time a bell is asked for (section 6). */
#define CROSSVM_CHANNEL_WAKE_FENCE 0x1 /* order your index before you look at this word */
#define CROSSVM_CHANNEL_WAKE_EMIT 0x2  /* ring */
#define CROSSVM_CHANNEL_WAKE_FLAGS 0x3
#define CROSSVM_CHANNEL_WAKE_STEP 0x4

/* The rings (section 4): that of end 0, then that of end 1. */
#define CROSSVM_CHANNEL_RINGS_AT 0x300
#define CROSSVM_CHANNEL_RING_ALIGN 64

/* A datagram in a ring (section 5): a header, then the payload, padded to a multiple of 8. */
#define CROSSVM_CHANNEL_RECORD_HEADER 8 /* LENGTH, and EACH behind it */
#define CROSSVM_CHANNEL_RECORD_EACH 4   /* 0, or the bytes of each of several datagrams */
#define CROSSVM_CHANNEL_RECORD_ALIGN 8
#define CROSSVM_CHANNEL_RECORD_SKIP 0xffffffff /* in place of a length: go on at the start of the ring */

#endif
