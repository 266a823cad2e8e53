/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program at the other end of a bridge's connection, which outlives the bridge and the hub.
 *
 *   endpoint NAME send FIRST COUNT  sends so many numbers; each is sent once a call has failed or succeeded
 *   endpoint NAME take FIRST COUNT  takes them; the next one must be the one that follows
 *
 * Both print a line every 1000 numbers, and one at the end. SIZE in the environment: bytes of a datagram, 8 or more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <crossvm/end_channel.h>

#define MOST_BYTES 65536
#define RETRY_US 2000

static const char *name;
static crossvm_end_t *end;
static crossvm_channel_t *channel;

static void begin(void)
{
    const crossvm_channel_options_t options = {.mode = CROSSVM_CHANNEL_DATAGRAM};

    while (crossvm_open(&end, name)) /* the hub may be on its way back */
        (void)usleep(RETRY_US);
    if (crossvm_channel_create(&channel, end, &options)) {
        fprintf(stderr, "endpoint: %s\n", crossvm_strerror());
        exit(2);
    }
}

static void finish(void)
{
    crossvm_channel_destroy(channel);
    crossvm_close(end);
}

/* The session is over: on to the next, on a connection that may be a new one. */
static void go_on(void)
{
    if (crossvm_wait(end, CROSSVM_NOW) < 0) {
        finish();
        begin();
        return;
    }
    crossvm_channel_open(channel);
}

static void tell(uint64_t number, uint64_t first, uint64_t count)
{
    const uint64_t done = number - first + 1;

    if (done % 1000 != 0 && done != count)
        return;
    printf("%" PRIu64 "\n", done);
    (void)fflush(stdout);
}

static int send_all(uint64_t first, uint64_t count, size_t size)
{
    static uint64_t data[MOST_BYTES / 8];

    for (uint64_t i = first; i < first + count; i++) {
        data[0] = i;
        while (crossvm_channel_send(channel, data, size, CROSSVM_FOREVER) < 0)
            go_on();
        tell(i, first, count);
    }
    while (crossvm_channel_drain(channel, CROSSVM_FOREVER) < 0)
        go_on();
    return 0;
}

static int take_all(uint64_t first, uint64_t count)
{
    static uint64_t data[MOST_BYTES / 8];

    for (uint64_t i = first; i < first + count; i++) {
        ptrdiff_t length;

        while ((length = crossvm_channel_recv(channel, data, sizeof(data), CROSSVM_FOREVER)) < 0)
            go_on();
        if (length < 8 || data[0] != i) {
            fprintf(stderr, "endpoint: %" PRIu64 " (%td bytes) comes instead of %" PRIu64 "\n", data[0], length, i);
            return 1;
        }
        tell(i, first, count);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *size = getenv("SIZE");
    uint64_t first, count;
    int status;

    if (argc != 5)
        return 2;
    name = argv[1];
    first = strtoull(argv[3], NULL, 10);
    count = strtoull(argv[4], NULL, 10);
    begin();
    if (strcmp(argv[2], "send") == 0)
        status = send_all(first, count, size ? strtoull(size, NULL, 10) : 64);
    else
        status = take_all(first, count);
    finish();
    return status;
}
