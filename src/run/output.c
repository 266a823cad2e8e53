/* SPDX-License-Identifier: BSD-2-Clause */
#include "output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES 4096 /* what a pipe or terminal takes without blocking once it polls writable */
#define PREFIX_BYTES 80  /* the longest: a name and what is around it */

/* --- output --- */

/* At worst each byte is the end of a line of its own, and the first ends a long one. */
size_t output_room(const struct output *output)
{
    size_t left = OUTPUT_BYTES - output->used;
    size_t kept = LINE_BYTES + PREFIX_BYTES;

    return left > kept ? (left - kept) / (PREFIX_BYTES + 2) : 0;
}

struct pollfd output_wishes(const struct output *output)
{
    return (struct pollfd){.fd = output->used ? output->fd : -1, .events = POLLOUT};
}

void output_write(struct output *output)
{
    size_t piece = output->used < PIECE_BYTES ? output->used : PIECE_BYTES;
    ssize_t written = write(output->fd, output->bytes, piece);

    if (written < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (written < 0) {
        output->broken = true; /* nobody reads any more; the VMs go on */
        output->used = 0;
        return;
    }
    output->used -= (size_t)written;
    memmove(output->bytes, output->bytes + written, output->used);
}

void output_finish(struct output *output)
{
    while (output->used) {
        struct pollfd writable = output_wishes(output);

        if (poll(&writable, 1, -1) < 0 && errno != EINTR)
            return;
        output_write(output);
    }
}

static void append(struct output *output, const char *bytes, size_t n)
{
    if (output->broken || OUTPUT_BYTES - output->used < n)
        return;
    memcpy(output->bytes + output->used, bytes, n);
    output->used += n;
}

/* --- lines --- */

static void pass_on(struct lines *lines)
{
    append(lines->output, lines->prefix, strlen(lines->prefix));
    append(lines->output, lines->line, lines->used);
    append(lines->output, "\n", 1);
    lines->used = 0;
}

/* Whether a byte is part of the text: neither a control character nor in an escape sequence (ECMA-48, section 5.4). */
static bool is_text(struct lines *lines, unsigned char byte)
{
    switch (lines->text) {
    case TEXT_ESCAPE:
        lines->text = byte == '[' ? TEXT_SEQUENCE : TEXT_PLAIN;
        return false;
    case TEXT_SEQUENCE:
        if (byte >= 0x40 && byte <= 0x7e)
            lines->text = TEXT_PLAIN;
        return false;
    default:
        if (byte == 0x1b)
            lines->text = TEXT_ESCAPE;
        return byte == '\t' || (byte >= ' ' && byte != 0x7f);
    }
}

void lines_put(struct lines *lines, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            lines->text = TEXT_PLAIN;
            pass_on(lines);
        } else if (is_text(lines, (unsigned char)bytes[i])) {
            if (lines->used == LINE_BYTES)
                pass_on(lines);
            lines->line[lines->used++] = bytes[i];
        }
    }
}

void lines_end(struct lines *lines)
{
    if (lines->used)
        pass_on(lines);
}
