/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program at the other end of a bridge's connection, which outlives the bridge and the hub.
 *
 * endpoint NAME send COUNT [FIRST]: sends numbers from 0 or FIRST on, so many for each line of standard input; each is
 * sent once a call says so.
 *
 * endpoint NAME push COUNT [FIRST]: the same, by calls that only write memory while they find room there.
 *
 * endpoint NAME take COUNT [TIMES]: takes them, so many times, or without end; the next one must be the one that
 * follows.
 *
 * endpoint NAME pull COUNT [FIRST]: the same from FIRST on, so many for each line of standard input.
 *
 * endpoint NAME echo: sends back what it takes, one by one, without end.
 *
 * endpoint NAME list: prints what it takes, number by number, without end.
 *
 * A line of output comes every 100 numbers, and "done" every COUNT. SIZE in the environment: bytes of a datagram, 8 or
 * more.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
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

/* A call that only writes memory does not notice a hub that has ended meanwhile. */
static void look(void)
{
    int timeout_ms;

    if (crossvm_channel_prepare(channel, CROSSVM_CHANNEL_OUT, &timeout_ms) < 0 ||
        crossvm_channel_state(channel) == CROSSVM_CHANNEL_ENDED)
        go_on();
}

static void tell(const char *line)
{
    printf("%s\n", line);
    (void)fflush(stdout);
}

static int send_one(uint64_t number, size_t size)
{
    static uint64_t data[MOST_BYTES / 8];

    data[0] = number;
    while (crossvm_channel_send(channel, data, size, CROSSVM_FOREVER) < 0)
        go_on();
    return 0;
}

static int take_one(uint64_t number)
{
    static uint64_t data[MOST_BYTES / 8];
    ptrdiff_t length;

    while ((length = crossvm_channel_recv(channel, data, sizeof(data), CROSSVM_FOREVER)) < 0)
        go_on();
    if (length >= 8 && data[0] == number)
        return 0;
    fprintf(stderr, "endpoint: %" PRIu64 " (%td bytes) comes instead of %" PRIu64 "\n", data[0], length, number);
    return 1;
}

static void list_all(void)
{
    static uint64_t data[MOST_BYTES / 8];

    for (;;) {
        while (crossvm_channel_recv(channel, data, sizeof(data), CROSSVM_FOREVER) < 0)
            go_on();
        printf("%" PRIu64 "\n", data[0]);
        (void)fflush(stdout);
    }
}

static void echo_all(void)
{
    static uint64_t data[MOST_BYTES / 8];
    ptrdiff_t length;

    for (;;) {
        while ((length = crossvm_channel_recv(channel, data, sizeof(data), CROSSVM_FOREVER)) < 0)
            go_on();
        while (crossvm_channel_send(channel, data, (size_t)length, CROSSVM_FOREVER) < 0)
            go_on();
    }
}

/* Whether there is another turn. */
static bool is_told(void)
{
    char line[32];

    return fgets(line, sizeof(line), stdin) != NULL;
}

int main(int argc, char **argv)
{
    const char *text = getenv("SIZE");
    const size_t size = text ? strtoull(text, NULL, 10) : 64;
    uint64_t number = 0, count, times = UINT64_MAX;
    bool sends, looks, turns;
    int status = 0;

    if (argc < 3 || argc > 5)
        return 2;
    name = argv[1];
    if (argc == 3) {
        begin();
        if (strcmp(argv[2], "echo") == 0)
            echo_all();
        list_all();
    }
    looks = strcmp(argv[2], "send") == 0;
    sends = looks || strcmp(argv[2], "push") == 0;
    turns = strcmp(argv[2], "take") != 0;
    count = strtoull(argv[3], NULL, 10);
    if (argc > 4)
        *(turns ? &number : &times) = strtoull(argv[4], NULL, 10);
    begin();
    while (status == 0 && (turns ? is_told() : times-- > 0)) {
        if (looks)
            look();
        for (uint64_t i = 0; i < count && status == 0; i++, number++) {
            status = sends ? send_one(number, size) : take_one(number);
            if (i % 100 == 99 && status == 0)
                tell("more");
        }
        if (status == 0)
            tell("done");
    }
    while (sends && crossvm_channel_drain(channel, CROSSVM_FOREVER) < 0)
        go_on();
    finish();
    return status;
}
