/* SPDX-License-Identifier: BSD-2-Clause */
#include "capture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/message.h"

#define SECOND_NS 1000000000

/* Few calls for many short datagrams. */
#define BUFFER_BYTES 65536

/* Writes all of it. Returns how much was written; less with errno. */
static size_t write_all(int fd, const uint8_t *bytes, size_t length)
{
    size_t written = 0;

    while (written < length) {
        ssize_t n = write(fd, bytes + written, length - written);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        written += (size_t)n;
    }
    return written;
}

int capture_writer_begin(struct capture_writer *writer, int fd, const char *name, size_t max_bytes)
{
    const struct capture_header header = {
        .magic = CAPTURE_MAGIC_NS,
        .major = CAPTURE_VERSION_MAJOR,
        .minor = CAPTURE_VERSION_MINOR,
        .max_bytes = (uint32_t)max_bytes,
        .link_type = CAPTURE_LINK_TYPE,
    };
    size_t record = sizeof(struct capture_record) + max_bytes;

    *writer = (struct capture_writer){.fd = fd, .name = name, .size = record > BUFFER_BYTES ? record : BUFFER_BYTES};
    writer->buffer = malloc(writer->size);
    if (!writer->buffer) {
        message("no memory for a message of %zu bytes", max_bytes);
        return -1;
    }
    if (write_all(fd, (const uint8_t *)&header, sizeof(header)) == sizeof(header))
        return 0;
    message("cannot write %s: %s", name, error_reason(errno));
    return -1;
}

int capture_put(struct capture_writer *writer, int64_t time_ns, const void *data, size_t length)
{
    const struct capture_record record = {
        .seconds = (uint32_t)(time_ns / SECOND_NS),
        .fraction = (uint32_t)(time_ns % SECOND_NS),
        .length = (uint32_t)length,
        .full_length = (uint32_t)length,
    };

    if (sizeof(record) + length > writer->size - writer->used && capture_flush(writer))
        return -1;
    memcpy(writer->buffer + writer->used, &record, sizeof(record));
    memcpy(writer->buffer + writer->used + sizeof(record), data, length);
    writer->used += sizeof(record) + length;
    writer->gathered++;
    return 0;
}

/* How many bytes of the buffer are whole records, if so many were written; and how many records those are. */
static size_t whole_bytes(const struct capture_writer *writer, size_t written, uint64_t *records)
{
    struct capture_record record;
    size_t at = 0;

    for (;; (*records)++) {
        if (written - at < sizeof(record))
            return at;
        memcpy(&record, writer->buffer + at, sizeof(record));
        if (written - at - sizeof(record) < record.length)
            return at;
        at += sizeof(record) + record.length;
    }
}

/* Takes a record of which only a part was written out of the file again, if that is a file. */
static void keep_whole(struct capture_writer *writer, size_t written)
{
    int error = errno;
    size_t whole = whole_bytes(writer, written, &writer->records);
    off_t end = lseek(writer->fd, 0, SEEK_CUR);

    if (end < 0 || ftruncate(writer->fd, end - (off_t)(written - whole)))
        message("cannot write %s: %s; after %" PRIu64 " messages there may be a part of another one", writer->name,
                error_reason(error), writer->records);
    else
        message("cannot write %s: %s; it holds the first %" PRIu64 " messages", writer->name, error_reason(error),
                writer->records);
}

int capture_flush(struct capture_writer *writer)
{
    size_t written = write_all(writer->fd, writer->buffer, writer->used);
    bool failed = written < writer->used;

    if (failed)
        keep_whole(writer, written);
    else
        writer->records += writer->gathered;
    writer->used = 0;
    writer->gathered = 0;
    return failed ? -1 : 0;
}

void capture_writer_free(struct capture_writer *writer)
{
    free(writer->buffer);
    writer->buffer = NULL;
}
