/* SPDX-License-Identifier: BSD-2-Clause */
/* Waiting for either direction, in the channel or elsewhere. */
#include "internal.h"

/* After PATIENT_SPINS failures, stop spinning; retry at every PROBE_EVERY-th sleep. */
#define PATIENT_SPINS 4
#define PROBE_EVERY 32

unsigned int cvm_channel_looks(const crossvm_channel_t *channel, unsigned int failed_spins)
{
    return failed_spins < PATIENT_SPINS || failed_spins % PROBE_EVERY == 0 ? channel->config.spin : 0;
}

static unsigned int ready(crossvm_channel_t *channel, unsigned int events)
{
    unsigned int found = 0;

    if (events & CROSSVM_CHANNEL_IN && cvm_channel_can_receive(channel))
        found |= CROSSVM_CHANNEL_IN;
    if (events & CROSSVM_CHANNEL_OUT && cvm_channel_can_send(channel))
        found |= CROSSVM_CHANNEL_OUT;
    return found;
}

/* The peer makes room only for what it knows of. */
static void flush_for(crossvm_channel_t *channel, unsigned int events)
{
    if (events & CROSSVM_CHANNEL_OUT)
        crossvm_channel_flush(channel);
}

/*
 * Whether a request may be unnecessary. Most callers come from a call that found nothing, so this is less than ready():
 * what it misses is found after the request.
 */
static bool may_be_ready(const crossvm_channel_t *channel, unsigned int events)
{
    return cvm_channel_state(channel) != CROSSVM_CHANNEL_CONNECTED ||
           (events & CROSSVM_CHANNEL_IN && cvm_channel_has_data(channel)) ||
           (events & CROSSVM_CHANNEL_OUT && cvm_channel_has_space(channel));
}

unsigned int crossvm_channel_arm(crossvm_channel_t *channel, unsigned int events, crossvm_channel_sleep_t *sleep)
{
    unsigned int found;

    flush_for(channel, events);
    *sleep = (crossvm_channel_sleep_t){0};
    if (may_be_ready(channel, events)) {
        found = ready(channel, events);
        if (found || cvm_channel_state(channel) == CROSSVM_CHANNEL_OPENING)
            return found; /* a peer that comes emits without a request */
    }
    if (events & CROSSVM_CHANNEL_IN) {
        cvm_channel_arm_data(channel);
        *sleep = cvm_channel_next_sleep(channel);
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

/* Looks again and again for a while. Returns what is ready. */
static unsigned int spin(crossvm_channel_t *channel, unsigned int events)
{
    unsigned int found = ready(channel, events);

    for (unsigned int left = cvm_channel_looks(channel, channel->failed_spins); !found && left > 0; left--) {
        cvm_channel_pause();
        found = ready(channel, events);
    }
    return found;
}

static int wait_for(crossvm_channel_t *channel, unsigned int events, crossvm_deadline_t deadline)
{
    flush_for(channel, events);
    if (crossvm_deadline_is_now(deadline)) {
        unsigned int found = ready(channel, events);

        return found ? (int)found : -CHANNEL_EAGAIN;
    }
    for (;;) {
        unsigned int found = spin(channel, events);
        crossvm_channel_sleep_t sleep;
        int result;

        if (!found)
            found = crossvm_channel_arm(channel, events, &sleep);
        if (found) {
            channel->failed_spins = 0;
            return (int)found;
        }
        channel->failed_spins++;
        channel->waits++;
        result = cvm_channel_sleep(channel, deadline, sleep.limit_us);
        crossvm_channel_disarm(channel);
        if (result == -CHANNEL_EAGAIN)
            crossvm_channel_slept(channel, &sleep);
        else if (result < 0)
            return result;
    }
}

int crossvm_channel_wait(crossvm_channel_t *channel, unsigned int events, crossvm_deadline_t deadline)
{
    return (int)cvm_channel_result(channel, wait_for(channel, events, deadline));
}
