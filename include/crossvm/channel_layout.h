/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A channel's shared memory: offsets and values, constants only. docs/channel.md is the specification, to which the
 * section numbers below refer.
 *
 * All words have 32 bits and are little-endian and naturally aligned. Each is written by one end only.
 */
#ifndef CROSSVM_CHANNEL_LAYOUT_H
#define CROSSVM_CHANNEL_LAYOUT_H

#define CROSSVM_CHANNEL_MIN_SIZE 0x1000     /* bytes of the smallest dataport */
#define CROSSVM_CHANNEL_MAX_RING 0x40000000 /* bytes of the largest ring */

/* The block of end 0 or 1 (section 3), as an offset from the start of the dataport. It has three groups of words, 128
 * bytes apart, so that the words of different ends, and of sender and receiver, never share a cache line. */
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
#define CROSSVM_CHANNEL_SEND_WAKE_AT 0x84 /* with CROSSVM_CHANNEL_WAKE_EMIT: emit when there is space */
#define CROSSVM_CHANNEL_SEND_WANT_AT 0x88 /* ... that is, when the peer's CONSUMED has reached this */
#define CROSSVM_CHANNEL_FIN_AT 0x8c       /* this end's generation: nothing follows PRODUCED */
#define CROSSVM_CHANNEL_LAP_AT 0x90       /* index of the byte at position 0: for observers, since version 1.1 */

/* Receiver. */
#define CROSSVM_CHANNEL_CONSUMED_AT 0x100  /* bytes taken out of the peer's ring, modulo 2^32 */
#define CROSSVM_CHANNEL_RECV_WAKE_AT 0x104 /* with CROSSVM_CHANNEL_WAKE_EMIT: emit when there is data */
#define CROSSVM_CHANNEL_STOP_AT 0x108      /* this end's generation: it receives nothing any more */

/* Values (section 3). */
#define CROSSVM_CHANNEL_MAGIC 0x48435643 /* "CVCH" */
#define CROSSVM_CHANNEL_VERSION_MAJOR 1
#define CROSSVM_CHANNEL_VERSION_MINOR 1
#define CROSSVM_CHANNEL_VERSION (CROSSVM_CHANNEL_VERSION_MAJOR << 16 | CROSSVM_CHANNEL_VERSION_MINOR)
#define CROSSVM_CHANNEL_STREAM 1
#define CROSSVM_CHANNEL_DATAGRAM 2
#define CROSSVM_CHANNEL_FEATURE_BATCHES 0x1                      /* a record may hold several datagrams (section 5) */
#define CROSSVM_CHANNEL_FEATURES CROSSVM_CHANNEL_FEATURE_BATCHES /* a session has those that both ends offer */

/* A wake word: two flags, and above them a number that changes with each request for an event (section 6). */
#define CROSSVM_CHANNEL_WAKE_FENCE 0x1 /* a sender orders its index before its look at this word */
#define CROSSVM_CHANNEL_WAKE_EMIT 0x2  /* an event is wanted */
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
