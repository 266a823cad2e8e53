/* SPDX-License-Identifier: BSD-2-Clause */
#include "output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../common/standard_streams.h"

#define PIECE_BYTES 4096 /* a pipe or terminal that polls writable takes so much without blocking */
#define PREFIX_BYTES 80  /* the longest prefix: a name and what is around it */

/* --- output --- */

/* The worst case: the first byte ends a long line, and each other byte is a line of its own. */
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

/*
 * What to write at once: whole lines, as many as a pipe takes whole. Other threads and processes print on the same
 * pipe, and nothing of theirs may land within a line.
 */
static size_t next_piece(const struct output *output)
{
    const char *end;

    if (output->used <= PIECE_BYTES)
        return output->used;
    end = memrchr(output->bytes, '\n', PIECE_BYTES); /* there is one: a line is shorter */
    return end ? (size_t)(end - output->bytes) + 1 : PIECE_BYTES;
}

void output_write(struct output *output)
{
    struct pollfd writable = output_wishes(output);
    ssize_t written;

    /* Both outputs may be the same pipe, and writing one may have filled it. */
    if (poll(&writable, 1, 0) != 1)
        return;
    written = write(output->fd, output->bytes, next_piece(output));
    if (written < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (written < 0) {
        if (output->fd == STDOUT_FILENO && errno != EPIPE)
            standard_output_failed(errno);
        output->broken = true; /* the VMs go on */
        output->used = 0;
        return;
    }
    output->used -= (size_t)written;
    memmove(output->bytes, output->bytes + written, output->used);
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

void lines_put(struct lines *lines, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char shown[PLAIN_TEXT_BYTES];
        size_t length;

        if (bytes[i] == '\n') {
            lines->text = (struct plain_text){0};
            pass_on(lines);
            continue;
        }
        length = plain_text_take(&lines->text, (unsigned char)bytes[i], shown);
        if (lines->used + length > LINE_BYTES)
            pass_on(lines);
        memcpy(lines->line + lines->used, shown, length);
        lines->used += length;
    }
}

void lines_end(struct lines *lines)
{
    if (lines->used)
        pass_on(lines);
}
