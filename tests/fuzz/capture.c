/* SPDX-License-Identifier: BSD-2-Clause */
/* Files for `crossvm replay`: what is read of any bytes is within bounds, and is read again from a file made of it. */
#include "fuzz.h"

#include <sys/mman.h>

#include "../../src/capture/capture.h"

#define CAPACITY 300
#define MOST 64

struct message {
    int64_t time_ns;
    size_t length;
    uint8_t data[CAPACITY];
};

/* Reads up to MOST messages. Returns how many, and in end what the last call gave. */
static size_t read_all(FILE *stream, struct message *messages, int *end)
{
    struct capture_reader reader;
    size_t n = 0;

    *end = capture_reader_begin(&reader, stream);
    while (*end >= 0 && n < MOST) {
        *end = capture_next(&reader, messages[n].data, CAPACITY, &messages[n].length, &messages[n].time_ns);
        if (*end <= 0)
            break;
        REQUIRE(messages[n].length <= CAPACITY && messages[n].time_ns >= 0);
        n++;
    }
    REQUIRE((*end < 0) == (reader.fault[0] != '\0'));
    REQUIRE(reader.records == n);
    (void)fclose(stream);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message messages[MOST], again[MOST];
    struct capture_writer writer;
    int fd, end;
    size_t n;

    if (size == 0) /* fmemopen() takes none */
        return 0;
    n = read_all(fmemopen((void *)data, size, "r"), messages, &end);
    fd = memfd_create("capture", MFD_CLOEXEC);
    REQUIRE(capture_writer_begin(&writer, fd, "capture", CAPACITY) == 0);
    for (size_t i = 0; i < n; i++)
        REQUIRE(capture_put(&writer, messages[i].time_ns, messages[i].data, messages[i].length) == 0);
    REQUIRE(capture_flush(&writer) == 0 && writer.records == n);
    capture_writer_free(&writer);
    REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
    REQUIRE(read_all(fdopen(fd, "r"), again, &end) == n && (end == 0 || n == MOST));
    for (size_t i = 0; i < n; i++) {
        REQUIRE(again[i].time_ns == messages[i].time_ns && again[i].length == messages[i].length);
        REQUIRE(memcmp(again[i].data, messages[i].data, messages[i].length) == 0);
    }
    return 0;
}
