/* SPDX-License-Identifier: BSD-2-Clause */
/* What the examples share: errors end the program with a sentence. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include <crossvm/end_channel.h>

#define FOREVER CROSSVM_FOREVER

/** The end that the command line names. */
static inline crossvm_end_t *open_end(int argc, char **argv)
{
    crossvm_end_t *end;

    if (argc != 2) {
        fprintf(stderr, "usage: %s NAME\n", argv[0]);
        exit(2);
    }
    if (crossvm_open(&end, argv[1])) {
        fprintf(stderr, "%s: %s\n", argv[0], crossvm_strerror());
        exit(1);
    }
    return end;
}

/** A channel of it, of that mode. */
static inline crossvm_channel_t *open_channel(crossvm_end_t *end, unsigned int mode)
{
    const crossvm_channel_options_t options = {.mode = mode};
    crossvm_channel_t *channel;

    if (crossvm_channel_create(&channel, end, &options)) {
        fprintf(stderr, "%s\n", crossvm_strerror());
        exit(1);
    }
    return channel;
}

/** Passes on what a call returned, unless it is an error. */
static inline ptrdiff_t check(ptrdiff_t result)
{
    if (result < 0) {
        fprintf(stderr, "%s\n", crossvm_strerror());
        exit(1);
    }
    return result;
}

static inline void close_all(crossvm_channel_t *channel, crossvm_end_t *end)
{
    crossvm_channel_destroy(channel);
    crossvm_close(end);
}
