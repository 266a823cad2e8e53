/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What both ends of a forwarding say to each other: each message is one datagram of the channel. docs/forward.md
 * specifies it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAGIC 0x57465643 /* "CVFW" */
#define FRAME_VERSION_MAJOR 1
#define FRAME_VERSION_MINOR 0

#define FRAME_HEADER_BYTES 8
#define FRAME_TARGET_BYTES 256                        /* of a target with its NUL */
#define FRAME_CONTROL_BYTES (16 + FRAME_TARGET_BYTES) /* no frame but DATA is longer, as this version writes it */
#define FRAME_MAX_SOCKETS 16384                       /* an end says that it takes, at most */
#define FRAME_MAX_WINDOW 0x40000000                   /* bytes that may be on their way to one socket */
#define FRAME_MAX_REASON 4095                         /* the largest errno value of Linux */

enum frame_type {
    FRAME_HELLO = 1,
    FRAME_OPEN,
    FRAME_ACCEPT,
    FRAME_DATA,
    FRAME_CREDIT,
    FRAME_END,
    FRAME_CLOSE,
};

enum frame_kind {
    FRAME_STREAM = 1,
    FRAME_SEQPACKET = 2,
};

/** One of them. Members that the type does not have are 0. */
struct frame {
    uint8_t type;
    bool yours;                      /**< the receiver has opened the socket, and the number is one of the receiver's */
    uint32_t number;                 /**< of the socket */
    uint16_t major;                  /**< HELLO */
    uint16_t minor;                  /**< HELLO */
    uint32_t kind;                   /**< OPEN: enum frame_kind */
    uint32_t value;                  /**< HELLO: sockets; OPEN, ACCEPT: window; CREDIT: bytes; CLOSE: reason */
    uint32_t early;                  /**< HELLO: bytes of a stream that are taken before it is accepted */
    char target[FRAME_TARGET_BYTES]; /**< OPEN */
    const void *bytes;               /**< DATA: where they are, which may still change */
    size_t length;                   /**< DATA */
};

/**
 * Reads a frame. Each byte that decides anything is loaded once.
 *
 * @return NULL, or what is wrong with it, as a sentence about the peer
 */
const char *frame_read(const void *bytes, size_t length, struct frame *frame);

/**
 * Writes a frame, but of DATA the header only.
 *
 * @param bytes room for FRAME_CONTROL_BYTES, aligned to 8
 * @return its length, without DATA's bytes
 */
size_t frame_write(void *bytes, const struct frame *frame);
