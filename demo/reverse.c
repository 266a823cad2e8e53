/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's program in the demonstration: `demo-reverse NAME` sends each line that comes over a stream back, reversed,
 * until the other end closes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/end_channel.h>

#define MAX_LINE 4096

static void reverse(char *text, size_t length)
{
    for (size_t i = 0; i < length / 2; i++) {
        char swapped = text[i];

        text[i] = text[length - 1 - i];
        text[length - 1 - i] = swapped;
    }
}

/* Answers the complete lines among `length` bytes. Returns how many bytes they had, or a negative errno value. */
static ptrdiff_t answer_lines(crossvm_channel_t *channel, char *text, size_t length)
{
    size_t done = 0;
    const char *newline;

    while ((newline = memchr(text + done, '\n', length - done))) {
        size_t line = (size_t)(newline - text) - done;
        ptrdiff_t sent;

        reverse(text + done, line);
        sent = crossvm_channel_send(channel, text + done, line + 1, CROSSVM_FOREVER);
        if (sent < 0)
            return sent;
        done += line + 1;
    }
    return (ptrdiff_t)done;
}

static int serve(crossvm_channel_t *channel)
{
    char text[MAX_LINE];
    size_t kept = 0;

    for (;;) {
        ptrdiff_t result = crossvm_channel_recv(channel, text + kept, sizeof(text) - kept, CROSSVM_FOREVER);

        if (result <= 0) /* 0: end of file, or a line of MAX_LINE bytes or more, which the guests do not send */
            return (int)result;
        kept += (size_t)result;
        result = answer_lines(channel, text, kept);
        if (result < 0)
            return (int)result;
        kept -= (size_t)result;
        memmove(text, text + result, kept);
    }
}

int main(int argc, char **argv)
{
    crossvm_channel_t *channel = NULL;
    crossvm_end_t *end = NULL;
    int status = EXIT_FAILURE;
    int error;

    if (argc != 2) {
        (void)fprintf(stderr, "usage: demo-reverse NAME\n");
        return EXIT_FAILURE;
    }
    if (crossvm_open(&end, argv[1]) || crossvm_channel_create(&channel, end, NULL)) {
        (void)fprintf(stderr, "demo-reverse: %s\n", crossvm_strerror());
        goto cleanup;
    }
    error = serve(channel);
    if (error)
        (void)fprintf(stderr, "demo-reverse: %s\n", crossvm_strerror());
    else
        status = EXIT_SUCCESS;
cleanup:
    crossvm_channel_destroy(channel);
    crossvm_close(end);
    return status;
}
