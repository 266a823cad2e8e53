/* SPDX-License-Identifier: BSD-2-Clause */
/* Standard output or standard error, which several VMs share line by line. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "plain_text.h"

#define OUTPUT_BYTES 65536
#define LINE_BYTES 1024 /* longer ones are cut into several */

struct output {
    int fd;
    char bytes[OUTPUT_BYTES]; /**< not written yet */
    size_t used;
    bool broken; /**< writing failed: all further output is dropped */
};

/** The lines of one VM. */
struct lines {
    struct output *output;
    const char *prefix;
    char line[LINE_BYTES];
    size_t used;
    struct plain_text text;
};

/** How many bytes lines_put() may be given now. If it is not 0, there is room for lines_end() too. */
size_t output_room(const struct output *output);

/** What to poll for: writable, if there is something to write. */
struct pollfd output_wishes(const struct output *output);

/** Writes some of the output, if that does not block. A failure to write standard output has a message. */
void output_write(struct output *output);

/**
 * Takes what a VM printed, and passes on the lines that are complete. Control characters and escape sequences are left
 * out, so that no guest can control the terminal.
 */
void lines_put(struct lines *lines, const char *bytes, size_t n);

/** Passes on a last line that does not end with a newline. */
void lines_end(struct lines *lines);
