/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A dataport and events, without a channel: end 0 writes a text and emits an event, end 1 reverses the text and emits
 * an event, too.
 *
 * Each half of the dataport has one writer. The reader copies a text and then uses the copy: the peer can change the
 * memory at any time.
 */
#include <string.h>

#include "example.h"

#define TEXT_BYTES 64

/* crossvm_wait() also returns, with 0, when the peer comes or goes. */
static void await_event(crossvm_end_t *end)
{
    int events;

    do
        events = crossvm_wait(end, CROSSVM_FOREVER);
    while (events == 0);
    if (events < 0) {
        fprintf(stderr, "%s\n", crossvm_strerror());
        exit(1);
    }
}

static void read_text(char text[TEXT_BYTES], const char *memory)
{
    memcpy(text, memory, TEXT_BYTES);
    text[TEXT_BYTES - 1] = '\0';
}

static void reverse(char *text)
{
    for (size_t i = 0, j = strlen(text); i + 1 < j; i++) {
        char c = text[i];

        text[i] = text[--j];
        text[j] = c;
    }
}

int main(int argc, char **argv)
{
    crossvm_end_t *end = open_end(argc, argv);
    char *mine = crossvm_dataport(end, 0).address, *theirs = mine + TEXT_BYTES;
    char text[TEXT_BYTES];

    if (crossvm_end_number(end) == 0) {
        snprintf(mine, TEXT_BYTES, "stressed desserts");
        crossvm_emit(end);
        await_event(end);
        read_text(text, theirs);
        printf("came back: %s\n", text);
    } else {
        await_event(end);
        read_text(text, mine);
        printf("came: %s\n", text);
        reverse(text);
        memcpy(theirs, text, TEXT_BYTES);
        crossvm_emit(end);
    }
    crossvm_close(end);
    return 0;
}
