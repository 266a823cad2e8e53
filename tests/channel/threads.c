/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Four threads, a sender and a receiver at each end, for the thread sanitizer: it sees whether every access to the
 * payload is ordered by the indices, and whether sender and receiver of one end keep out of each other's way.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <crossvm/channel.h>

#define MEMORY_BYTES 16384
#define FOREVER CROSSVM_FOREVER

static uint8_t memory[MEMORY_BYTES] __attribute__((aligned(4096)));
static crossvm_channel_t channels[2];
static uint32_t messages;
static unsigned failures;

/* Does nothing: a thread that waits looks again after a while. Both threads of an end wait, and an event would wake
 * only one of them. */
static int emit(void *cookie)
{
    (void)cookie;
    return 0;
}

static int wait_a_little(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie;
    (void)deadline;
    usleep(limit_us > 0 ? limit_us : 20);
    return limit_us > 0 ? -EAGAIN : 0;
}

static size_t length_of(uint32_t number)
{
    return 4 + number * 7 % 300;
}

static void fail(const char *what, uint32_t number)
{
    fprintf(stderr, "%s at message %u\n", what, number);
    __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
}

static void *send_all(void *argument)
{
    crossvm_channel_t *channel = argument;
    uint8_t buffer[512];

    for (uint32_t number = 0; number < messages; number++) {
        const size_t length = length_of(number);
        void *to = buffer;

        if (number % 2 && crossvm_channel_reserve(channel, &to, length, FOREVER) < 0)
            fail("reserve failed", number);
        memset(to, (int)number, length);
        memcpy(to, &number, 4);
        if ((number % 2 ? crossvm_channel_commit(channel, length)
                        : crossvm_channel_send(channel, to, length, FOREVER)) < 0)
            fail("sending failed", number);
    }
    return NULL;
}

static void *recv_all(void *argument)
{
    crossvm_channel_t *channel = argument;
    uint8_t buffer[512];

    for (uint32_t number = 0; number < messages; number++) {
        const void *shown = buffer;
        const ptrdiff_t length = number % 3 ? crossvm_channel_peek(channel, &shown, FOREVER)
                                            : crossvm_channel_recv(channel, buffer, sizeof(buffer), FOREVER);

        if (length != (ptrdiff_t)length_of(number) || memcmp(shown, &number, 4) != 0)
            fail("another message came", number);
        else if (length > 4 && ((const uint8_t *)shown)[length - 1] != (uint8_t)number)
            fail("a message changed on its way", number);
        if (number % 3 && crossvm_channel_release(channel, (size_t)length) < 0)
            fail("release failed", number);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[4];

    messages = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 100000;
    for (unsigned end = 0; end < 2; end++) {
        const crossvm_channel_config_t config = {
            .memory = memory,
            .size = sizeof(memory),
            .end = CROSSVM_CHANNEL_END(end),
            .mode = CROSSVM_CHANNEL_DATAGRAM,
            .flags = CROSSVM_CHANNEL_RELAXED,
            .spin = 50,
            .emit = emit,
            .wait = wait_a_little,
        };

        if (crossvm_channel_init(&channels[end], &config) < 0)
            return 1;
        crossvm_channel_open(&channels[end]);
    }
    for (int i = 0; i < 4; i++)
        (void)crossvm_channel_connect(&channels[i % 2], CROSSVM_NOW);
    for (int i = 0; i < 4; i++)
        if (pthread_create(&threads[i], NULL, i < 2 ? send_all : recv_all, &channels[i % 2]) != 0)
            return 1;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return failures > 0;
}
