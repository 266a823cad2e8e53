/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that has channels over memory of its own: it sends a message to itself. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <crossvm/channel.h>

static _Alignas(64) unsigned char memory[CROSSVM_CHANNEL_MIN_SIZE];

static int emit(void *cookie)
{
    (void)cookie;
    return 0;
}

static int wait(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie, (void)deadline, (void)limit_us;
    return -ETIMEDOUT;
}

int main(void)
{
    crossvm_channel_t ends[2];
    char text[8] = "";

    for (unsigned int i = 0; i < 2; i++) {
        const crossvm_channel_config_t config = {
            .memory = memory, .size = sizeof(memory), .end = CROSSVM_CHANNEL_END(i), .emit = emit, .wait = wait};

        if (crossvm_channel_init(&ends[i], &config))
            return 1;
        crossvm_channel_open(&ends[i]);
    }
    /* Ends meet in steps, and each call takes those that it can take alone. */
    for (unsigned int i = 0; i < 4; i++)
        crossvm_channel_connect(&ends[i % 2], CROSSVM_NOW);
    if (crossvm_channel_send(&ends[0], "hello", 5, CROSSVM_NOW) != 5)
        return 2;
    if (crossvm_channel_recv(&ends[1], text, sizeof(text), CROSSVM_NOW) != 5 || strcmp(text, "hello") != 0)
        return 3;
    puts("a message crossed");
    return 0;
}
