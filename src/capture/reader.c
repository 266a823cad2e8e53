/* SPDX-License-Identifier: BSD-2-Clause */
#include "capture.h"

#include <byteswap.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "../common/error_reason.h"

#define SECOND_NS 1000000000

static int fail(struct capture_reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct capture_reader *reader, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reader->fault, sizeof(reader->fault), format, arguments);
    va_end(arguments);
    return -1;
}

static uint32_t number(const struct capture_reader *reader, uint32_t word)
{
    return reader->swapped ? bswap_32(word) : word;
}

int capture_reader_begin(struct capture_reader *reader, FILE *stream)
{
    struct capture_header header;

    *reader = (struct capture_reader){.stream = stream};
    errno = 0;
    if (fread(&header, sizeof(header), 1, stream) != 1)
        return ferror(stream) ? fail(reader, "cannot be read: %s", error_reason(errno))
                              : fail(reader, "is no file of `crossvm record`: it is too short");
    reader->swapped = header.magic == bswap_32(CAPTURE_MAGIC_NS) || header.magic == bswap_32(CAPTURE_MAGIC_US);
    switch (number(reader, header.magic)) {
    case CAPTURE_MAGIC_NS:
        reader->fraction_ns = 1;
        break;
    case CAPTURE_MAGIC_US:
        reader->fraction_ns = 1000;
        break;
    default:
        return fail(reader, "is no file of `crossvm record`: it does not begin as a pcap file does");
    }
    if ((reader->swapped ? bswap_16(header.major) : header.major) != CAPTURE_VERSION_MAJOR)
        return fail(reader, "has another version of the format than %d", CAPTURE_VERSION_MAJOR);
    return 0;
}

static int cut_short(struct capture_reader *reader)
{
    if (ferror(reader->stream))
        return fail(reader, "cannot be read: %s", error_reason(errno));
    return fail(reader, "is cut short in message %" PRIu64 "; the %" PRIu64 " before it are whole", reader->records + 1,
                reader->records);
}

int capture_next(struct capture_reader *reader, void *data, size_t capacity, size_t *length, int64_t *time_ns)
{
    struct capture_record record;
    uint64_t fraction;
    size_t n;

    errno = 0;
    n = fread(&record, 1, sizeof(record), reader->stream);
    if (n == 0 && feof(reader->stream))
        return 0;
    if (n < sizeof(record))
        return cut_short(reader);
    *length = number(reader, record.length);
    fraction = (uint64_t)number(reader, record.fraction) * reader->fraction_ns;
    if (fraction >= SECOND_NS)
        return fail(reader, "has an impossible time in message %" PRIu64, reader->records + 1);
    if (number(reader, record.full_length) != *length)
        return fail(reader, "has only a part of message %" PRIu64 ": it was cut when it was recorded",
                    reader->records + 1);
    if (*length > capacity)
        return fail(reader, "has %zu bytes in message %" PRIu64 ", and the connection carries up to %zu", *length,
                    reader->records + 1, capacity);
    if (fread(data, 1, *length, reader->stream) < *length)
        return cut_short(reader);
    *time_ns = (int64_t)number(reader, record.seconds) * SECOND_NS + (int64_t)fraction;
    reader->records++;
    return 1;
}
