/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of several VMs on one output of this process.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "plain_text.h"

#define OUTPUT_BYTES 65536
#define LINE_BYTES 1024 /* longer ones are cut into several */

/** Where lines go: standard output or standard error. */
struct output {
    int fd;
    char bytes[OUTPUT_BYTES];
    size_t used;
    bool broken; /**< what comes is dropped */
};

/** A VM's console on its way there. */
struct lines {
    struct output *output;
    const char *prefix;
    char line[LINE_BYTES];
    size_t used;
    struct plain_text text;
};

/** How many bytes lines_put() may be given now. With room for one, there is room for lines_end() too. */
size_t output_room(const struct output *output);

/** What to poll for: writable, if there is something to write. */
struct pollfd output_wishes(const struct output *output);

/** Writes some of it, if that does not block. */
void output_write(struct output *output);

/**
 * Takes what a VM printed, and passes on the lines that are complete. A guest is not to do with a terminal what it
 * likes: control characters and escape sequences are left out.
 */
void lines_put(struct lines *lines, const char *bytes, size_t n);

/** Passes on a last line that has no end. */
void lines_end(struct lines *lines);
