/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files for `crossvm replay`: what is read of any bytes is within bounds, and is read again from a file made of it. A
 * disk that is full leaves a file with the first of it.
 */
#include "fuzz.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

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

static void require_same(const struct message *messages, const struct message *again, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        REQUIRE(again[i].time_ns == messages[i].time_ns && again[i].length == messages[i].length);
        REQUIRE(memcmp(again[i].data, messages[i].data, messages[i].length) == 0);
    }
}

static void put_all(struct capture_writer *writer, const struct message *messages, size_t n)
{
    for (size_t i = 0; i < n; i++)
        REQUIRE(capture_put(writer, messages[i].time_ns, messages[i].data, messages[i].length) == 0);
}

/* Bytes of a file with these messages */
static off_t write_and_read(const struct message *messages, size_t n)
{
    static struct message again[MOST];
    struct capture_writer writer;
    int fd = memfd_create("capture", MFD_CLOEXEC), end;
    off_t bytes;

    REQUIRE(capture_writer_begin(&writer, fd, "capture", CAPACITY) == 0);
    put_all(&writer, messages, n);
    REQUIRE(capture_flush(&writer) == 0 && writer.records == n);
    capture_writer_free(&writer);
    bytes = lseek(fd, 0, SEEK_CUR);
    REQUIRE(bytes > 0 && lseek(fd, 0, SEEK_SET) == 0);
    REQUIRE(read_all(fdopen(fd, "r"), again, &end) == n && (end == 0 || n == MOST));
    require_same(messages, again, n);
    return bytes;
}

/* A file that would be longer is full, to this process. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

/* The file takes so many bytes, which are too few. */
static void write_too_much(const struct message *messages, size_t n, off_t room)
{
    static struct message again[MOST];
    struct capture_writer writer;
    int fd = memfd_create("full", MFD_CLOEXEC), end;
    bool begun;

    REQUIRE(fd >= 0);
    limit_files((rlim_t)room);
    begun = capture_writer_begin(&writer, fd, "full", CAPACITY) == 0;
    if (begun) {
        put_all(&writer, messages, n);
        REQUIRE(capture_flush(&writer) != 0 && writer.records < n);
    }
    limit_files(RLIM_INFINITY);
    if (!begun) {
        close(fd); /* not even its header */
    } else {
        REQUIRE(lseek(fd, 0, SEEK_SET) == 0);
        REQUIRE(read_all(fdopen(fd, "r"), again, &end) == writer.records && end == 0);
        require_same(messages, again, writer.records);
    }
    capture_writer_free(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message messages[MOST];
    static bool prepared;
    off_t bytes;
    size_t n;
    int end;

    if (size == 0) /* fmemopen() takes none */
        return 0;
    if (!prepared) {
        drop_messages();
        (void)signal(SIGXFSZ, SIG_IGN);
        prepared = true;
    }
    n = read_all(fmemopen((void *)data, size, "r"), messages, &end);
    bytes = write_and_read(messages, n);
    write_too_much(messages, n, bytes * data[size - 1] / 256);
    return 0;
}
