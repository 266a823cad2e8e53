/* SPDX-License-Identifier: BSD-2-Clause */
/* A program with no C library and no operating system under it: that this links says that a channel needs neither. */
#include <crossvm/channel.h>

/* What any compiler expects to be there, even so. */
void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);
void _start(void);

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    return memmove(to, from, length);
}

void *memmove(void *to, const void *from, size_t length)
{
    volatile uint8_t *out = to;
    const volatile uint8_t *in = from;

    for (size_t i = 0; i < length; i++) {
        const size_t at = out < in ? i : length - 1 - i;

        out[at] = in[at];
    }
    return to;
}

void *memset(void *to, int value, size_t length)
{
    volatile uint8_t *out = to;

    while (length-- > 0)
        out[length] = (uint8_t)value;
    return to;
}

static int emit(void *cookie)
{
    (void)cookie;
    return 0;
}

static int wait_for_event(void *cookie, crossvm_deadline_t deadline, uint32_t limit_us)
{
    (void)cookie;
    (void)deadline;
    (void)limit_us;
    return 0;
}

static uint8_t memory[CROSSVM_CHANNEL_MIN_SIZE] __attribute__((aligned(64)));

void _start(void)
{
    const crossvm_channel_config_t config = {.memory = memory,
                                             .size = sizeof(memory),
                                             .end = CROSSVM_CHANNEL_END(0),
                                             .mode = CROSSVM_CHANNEL_DATAGRAM,
                                             .emit = emit,
                                             .wait = wait_for_event};
    static crossvm_channel_t channel;
    crossvm_channel_counts_t counts;
    static uint8_t buffer[64];
    const void *shown;
    crossvm_channel_sleep_t sleep;
    void *room;

    (void)crossvm_channel_init(&channel, &config);
    crossvm_channel_open(&channel);
    (void)crossvm_channel_connect(&channel, CROSSVM_FOREVER);
    (void)crossvm_channel_send(&channel, buffer, sizeof(buffer), CROSSVM_NOW);
    (void)crossvm_channel_recv(&channel, buffer, sizeof(buffer), CROSSVM_NOW);
    (void)crossvm_channel_send_many(&channel, buffer, 8, 8, CROSSVM_NOW);
    (void)crossvm_channel_recv_many(&channel, buffer, 8, NULL, 8, CROSSVM_NOW);
    (void)crossvm_channel_reserve(&channel, &room, 8, CROSSVM_NOW);
    (void)crossvm_channel_commit(&channel, 8);
    (void)crossvm_channel_peek(&channel, &shown, CROSSVM_NOW);
    (void)crossvm_channel_release(&channel, 8);
    (void)crossvm_channel_wait(&channel, CROSSVM_CHANNEL_IN, CROSSVM_NOW);
    (void)crossvm_channel_arm(&channel, CROSSVM_CHANNEL_IN, &sleep);
    crossvm_channel_slept(&channel, &sleep);
    crossvm_channel_disarm(&channel);
    (void)crossvm_channel_drain(&channel, CROSSVM_NOW);
    crossvm_channel_set_peer(&channel, false);
    crossvm_channel_shutdown(&channel);
    crossvm_channel_get_counts(&channel, &counts, sizeof(counts));
    crossvm_channel_close(&channel);
    for (;;)
        ;
}
