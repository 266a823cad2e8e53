/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams with the times at which they came, in a file of the format that libpcap calls pcap, with nanoseconds: a
 * header, then a record for each datagram. So others can look at it, too. The link type is the first of those that are
 * for private use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CAPTURE_MAGIC_NS 0xa1b23c4d /* times have nanoseconds; in the byte order of who wrote the file */
#define CAPTURE_MAGIC_US 0xa1b2c3d4 /* or microseconds */
#define CAPTURE_VERSION_MAJOR 2
#define CAPTURE_VERSION_MINOR 4
#define CAPTURE_LINK_TYPE 147 /* LINKTYPE_USER0 */

struct capture_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy; /* 0 */
    uint32_t max_bytes;      /* of a record's data */
    uint32_t link_type;
};

struct capture_record {
    uint32_t seconds, fraction; /* since 1970 */
    uint32_t length;            /* of what follows, in bytes */
    uint32_t full_length;       /* of the datagram: the same, if it was not cut */
};

/** Writes a file. Records are gathered, and only whole ones stay in a regular file. */
struct capture_writer {
    int fd;
    const char *name; /**< for messages */
    uint8_t *buffer;
    size_t size, used;
    uint64_t records; /**< that the file holds whole */
    size_t gathered;  /**< records in the buffer */
};

/**
 * Begins a file.
 *
 * @param max_bytes of a datagram
 * @return 0, or -1 after a message; capture_writer_free() frees in any case
 */
int capture_writer_begin(struct capture_writer *writer, int fd, const char *name, size_t max_bytes);

/** Gathers a datagram of up to max_bytes that came at that time, in nanoseconds since 1970. 0, or -1 after a message.
 */
int capture_put(struct capture_writer *writer, int64_t time_ns, const void *data, size_t length);

/** Writes what was gathered. 0, or -1 after a message. */
int capture_flush(struct capture_writer *writer);

void capture_writer_free(struct capture_writer *writer);

/** Reads a file, of which nothing is believed. */
struct capture_reader {
    FILE *stream;
    bool swapped; /**< who wrote it has the other byte order */
    unsigned int fraction_ns;
    uint64_t records; /**< that were read */
    char fault[160];  /**< after an error: the rest of a sentence that begins with the file */
};

/** Reads the beginning of a file. 0, or -1 with a fault. */
int capture_reader_begin(struct capture_reader *reader, FILE *stream);

/**
 * Reads the next datagram.
 *
 * @param length  receives how long it is: at most capacity
 * @param time_ns receives when it came, in nanoseconds since 1970
 * @return 1, 0 at the end of the file, or -1 with a fault
 */
int capture_next(struct capture_reader *reader, void *data, size_t capacity, size_t *length, int64_t *time_ns);
