/* SPDX-License-Identifier: BSD-2-Clause */
/* A stream: end 0 sends a million bytes, and at the same time receives what end 1 sends back. */
#include <pthread.h>
#include <string.h>

#include "example.h"

#define TOTAL 1000000

static unsigned char byte_at(size_t i)
{
    return (unsigned char)(i * 7 + i / 251);
}

/* One thread sends while another receives. */
static void *send_all(void *argument)
{
    crossvm_channel_t *channel = argument;
    unsigned char piece[5000];

    for (size_t sent = 0; sent < TOTAL; sent += sizeof(piece)) {
        for (size_t i = 0; i < sizeof(piece); i++)
            piece[i] = byte_at(sent + i);
        check(crossvm_channel_send(channel, piece, sizeof(piece), FOREVER));
    }
    crossvm_channel_shutdown(channel);
    return NULL;
}

static void ask(crossvm_channel_t *channel)
{
    unsigned char buffer[4096];
    size_t received = 0, right = 0;
    pthread_t sender;
    ptrdiff_t n;

    check(crossvm_channel_connect(channel, FOREVER)); /* before there are two threads */
    if (pthread_create(&sender, NULL, send_all, channel))
        exit(1);
    while ((n = check(crossvm_channel_recv(channel, buffer, sizeof(buffer), FOREVER))) > 0) {
        for (ptrdiff_t i = 0; i < n; i++, received++)
            right += buffer[i] == byte_at(received);
    }
    pthread_join(sender, NULL);
    printf("%zu bytes came back, %zu of them right\n", received, right);
}

static void echo(crossvm_channel_t *channel)
{
    unsigned char buffer[4096];
    size_t total = 0;
    ptrdiff_t n;

    while ((n = check(crossvm_channel_recv(channel, buffer, sizeof(buffer), FOREVER))) > 0) {
        check(crossvm_channel_send(channel, buffer, (size_t)n, FOREVER));
        total += (size_t)n;
    }
    printf("sent back %zu bytes\n", total);
}

int main(int argc, char **argv)
{
    crossvm_end_t *end = open_end(argc, argv);
    crossvm_channel_t *channel = open_channel(end, CROSSVM_CHANNEL_STREAM);

    if (crossvm_end_number(end) == 0)
        ask(channel);
    else
        echo(channel);
    close_all(channel, end);
    return 0;
}
