/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for either direction, in the channel or elsewhere. */
#include "internal.h"

/* After so many spins in vain there are none, but for one each so often. */
#define PATIENT_SPINS 4
#define PROBE_EVERY 32

unsigned cvm_channel_looks(const crossvm_channel_t *channel, unsigned vain)
{
    return vain < PATIENT_SPINS || vain % PROBE_EVERY == 0 ? channel->config.spin : 0;
}

static unsigned ready(crossvm_channel_t *channel, unsigned events)
{
    unsigned found = 0;

    if (events & CROSSVM_CHANNEL_IN && cvm_channel_can_receive(channel))
        found |= CROSSVM_CHANNEL_IN;
    if (events & CROSSVM_CHANNEL_OUT && cvm_channel_can_send(channel))
        found |= CROSSVM_CHANNEL_OUT;
    return found;
}

/* What the peer is to make room for, it must know of. */
static void flush_for(crossvm_channel_t *channel, unsigned events)
{
    if (events & CROSSVM_CHANNEL_OUT)
        crossvm_channel_flush(channel);
}

unsigned crossvm_channel_arm(crossvm_channel_t *channel, unsigned events, uint32_t *limit_us)
{
    unsigned found;

    flush_for(channel, events);
    found = ready(channel, events);
    *limit_us = 0;
    if (found || cvm_channel_state(channel) == CROSSVM_CHANNEL_OPENING)
        return found; /* a peer that comes rings without being asked */
    if (events & CROSSVM_CHANNEL_IN) {
        cvm_channel_arm_data(channel);
        *limit_us = cvm_channel_sleep_limit(channel);
    }
    if (events & CROSSVM_CHANNEL_OUT)
        cvm_channel_arm_space(channel, cvm_channel_space_wanted(channel, channel->send.refused));
    found = ready(channel, events);
    if (found)
        crossvm_channel_disarm(channel);
    return found;
}

void crossvm_channel_disarm(crossvm_channel_t *channel)
{
    if (cvm_channel_state(channel) == CROSSVM_CHANNEL_OPENING)
        return;
    cvm_channel_disarm_data(channel);
    cvm_channel_disarm_space(channel);
}

/* Looks for a while. Returns what is ready. */
static unsigned spin(crossvm_channel_t *channel, unsigned events)
{
    unsigned found = ready(channel, events);

    for (unsigned left = cvm_channel_looks(channel, channel->vain); !found && left > 0; left--) {
        cvm_channel_pause();
        found = ready(channel, events);
    }
    return found;
}

int crossvm_channel_wait(crossvm_channel_t *channel, unsigned events, crossvm_deadline_t deadline)
{
    flush_for(channel, events);
    if (crossvm_deadline_is_now(deadline)) {
        unsigned found = ready(channel, events);

        return found ? (int)found : -CHANNEL_EAGAIN;
    }
    for (;;) {
        unsigned found = spin(channel, events);
        uint32_t limit_us;
        int result;

        if (!found)
            found = crossvm_channel_arm(channel, events, &limit_us);
        if (found) {
            channel->vain = 0;
            return (int)found;
        }
        channel->vain++;
        channel->waits++;
        result = cvm_channel_sleep(channel, deadline, limit_us);
        crossvm_channel_disarm(channel);
        if (result == -CHANNEL_EAGAIN)
            cvm_channel_settled(channel);
        else if (result < 0)
            return result;
    }
}
