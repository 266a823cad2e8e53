/* SPDX-License-Identifier: BSD-2-Clause */
#include "samples.h"

#include <crossvm/component.h>

/* The number that a question of the guest asks for; 0 for anything else. */
static size_t number_asked_for(const volatile char *text, size_t length)
{
    size_t number = 0;

    for (size_t i = 0; i < length && i < 6; i++) {
        char digit = text[i]; /* once: the guest may change it */

        if (digit < '0' || digit > '9')
            break;
        number = number * 10 + (size_t)(digit - '0');
    }
    return number;
}

/* 0 or a negative errno value, which ends the session */
static int answer(crossvm_channel_t *channel, const struct samples *samples)
{
    const size_t most = crossvm_channel_max_message(channel) / sizeof(uint32_t);
    const void *question;
    void *room;
    size_t wanted;
    ptrdiff_t length = crossvm_channel_peek(channel, &question, CROSSVM_FOREVER);

    if (length < 0)
        return (int)length;
    wanted = number_asked_for(question, (size_t)length);
    if (wanted > most)
        wanted = most;
    (void)crossvm_channel_release(channel, (size_t)length);
    length = crossvm_channel_reserve(channel, &room, wanted * sizeof(uint32_t), CROSSVM_FOREVER);
    if (length < 0)
        return (int)length;
    for (size_t i = 0; i < wanted; i++)
        ((uint32_t *)room)[i] = samples->measure();
    return crossvm_channel_commit(channel, wanted * sizeof(uint32_t));
}

void samples_serve(const struct samples *samples)
{
    static crossvm_component_channel_t channel;
    crossvm_component_t self = {.notification = samples->notification};
    const crossvm_component_channel_config_t config = {
        .dataport = samples->dataport,
        .size = SAMPLES_FRAMES << FRAME_BITS,
        .mode = CROSSVM_CHANNEL_DATAGRAM,
        .emit = samples->vmm_samples,
        .badge = BADGE_GUEST_SAMPLES,
    };

    (void)crossvm_component_channel_init(&channel, &self, &config); /* fails if the dataport is not aligned */
    for (;;) {
        crossvm_channel_open(&channel.channel);
        while (answer(&channel.channel, samples) == 0)
            ;
    }
}
