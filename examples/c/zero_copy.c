/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams without a copy: end 0 makes pictures in the channel's memory, and end 1 reads them there. A batch of
 * pictures wakes the peer once.
 */
#include <errno.h>
#include <stdint.h>

#include "example.h"

#define PICTURES 1000
#define WIDTH 64
#define HEIGHT 48
#define BATCH 8

static void make_pictures(crossvm_channel_t *channel)
{
    for (unsigned int i = 0; i < PICTURES; i++) {
        uint8_t *picture;
        void *memory;

        check(crossvm_channel_reserve(channel, &memory, WIDTH * HEIGHT, FOREVER));
        picture = memory;
        for (unsigned int at = 0; at < WIDTH * HEIGHT; at++)
            picture[at] = (uint8_t)(at / WIDTH + at % WIDTH + i);
        check(crossvm_channel_commit_more(channel, WIDTH * HEIGHT));
        if (i % BATCH == BATCH - 1)
            crossvm_channel_flush(channel);
    }
    crossvm_channel_shutdown(channel); /* flushes, too */
    check(crossvm_channel_drain(channel, FOREVER));
    printf("%d pictures made\n", PICTURES);
}

/* The sum of what is there is harmless whatever is there: no decision depends on memory that the other end can change.
 */
static void look_at_pictures(crossvm_channel_t *channel)
{
    unsigned int count = 0;
    uint64_t sum = 0;

    for (;;) {
        const void *picture;
        ptrdiff_t length = crossvm_channel_peek(channel, &picture, FOREVER);

        if (length == -EPIPE)
            break;
        check(length);
        for (ptrdiff_t at = 0; at < length; at++)
            sum += ((const uint8_t *)picture)[at];
        check(crossvm_channel_release(channel, (size_t)length));
        count++;
    }
    printf("%u pictures seen, of brightness %llu\n", count, (unsigned long long)sum);
}

int main(int argc, char **argv)
{
    crossvm_end_t *end = open_end(argc, argv);
    crossvm_channel_t *channel = open_channel(end, CROSSVM_CHANNEL_DATAGRAM);

    if (crossvm_end_number(end) == 0)
        make_pictures(channel);
    else
        look_at_pictures(channel);
    close_all(channel, end);
    return 0;
}
