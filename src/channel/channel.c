/* SPDX-License-Identifier: BSD-2-Clause */
/* An end of a channel: what it is made of, and what it says about itself. */
#include "geometry.h"
#include "internal.h"

static bool is_reserved_zero(const crossvm_channel_config_t *config)
{
    for (size_t i = 0; i < sizeof(config->reserved) / sizeof(config->reserved[0]); i++) {
        if (config->reserved[i])
            return false;
    }
    return true;
}

static bool is_valid(const crossvm_channel_config_t *config)
{
    return config && config->memory && (uintptr_t)config->memory % 64 == 0 &&
           config->size >= CROSSVM_CHANNEL_MIN_SIZE &&
           (config->end == CROSSVM_CHANNEL_END(0) || config->end == CROSSVM_CHANNEL_END(1)) &&
           config->mode <= CROSSVM_CHANNEL_DATAGRAM && (config->flags & ~(unsigned int)CROSSVM_CHANNEL_RELAXED) == 0 &&
           config->emit && config->wait && is_reserved_zero(config);
}

static void connect_words(crossvm_channel_t *channel)
{
    struct crossvm_private_sender *send = &channel->send;
    struct crossvm_private_receiver *recv = &channel->recv;
    const crossvm_private_word_t *peer = channel->peer;
    crossvm_private_word_t *own = channel->own;

    send->fin = own + CROSSVM_CHANNEL_FIN_AT / 4;
    send->wake = own + CROSSVM_CHANNEL_SEND_WAKE_AT / 4;
    send->want = own + CROSSVM_CHANNEL_SEND_WANT_AT / 4;
    send->peer_wake = peer + CROSSVM_CHANNEL_RECV_WAKE_AT / 4;
    send->peer_consumed = peer + CROSSVM_CHANNEL_CONSUMED_AT / 4;
    send->peer_stop = peer + CROSSVM_CHANNEL_STOP_AT / 4;

    recv->consumed = own + CROSSVM_CHANNEL_CONSUMED_AT / 4;
    recv->stop = own + CROSSVM_CHANNEL_STOP_AT / 4;
    recv->wake = own + CROSSVM_CHANNEL_RECV_WAKE_AT / 4;
    recv->peer_produced = peer + CROSSVM_CHANNEL_PRODUCED_AT / 4;
    recv->peer_fin = peer + CROSSVM_CHANNEL_FIN_AT / 4;
    recv->peer_wake = peer + CROSSVM_CHANNEL_SEND_WAKE_AT / 4;
    recv->peer_want = peer + CROSSVM_CHANNEL_SEND_WANT_AT / 4;
}

int crossvm_channel_init(crossvm_channel_t *channel, const crossvm_channel_config_t *config)
{
    unsigned int end;
    uint8_t *memory;

    if (!channel || !is_valid(config))
        return -CHANNEL_EINVAL;
    __builtin_memset(channel, 0, sizeof(*channel));
    channel->config = *config;
    if (channel->config.mode == 0)
        channel->config.mode = CROSSVM_CHANNEL_STREAM;
    if (channel->config.spin == CROSSVM_CHANNEL_NO_SPIN)
        channel->config.spin = 0;
    channel->ring_bytes = channel_geometry_ring(config->size);
    channel->withhold = channel_geometry_withheld(channel->ring_bytes);
    channel->max_record = channel_geometry_record(channel->ring_bytes);
    channel->peer_here = true;
    channel->reason = "";
    channel->send.error = channel->recv.error = -CHANNEL_ENOTCONN;

    memory = config->memory;
    end = config->end - CROSSVM_CHANNEL_END(0);
    channel->own = (crossvm_private_word_t *)(void *)(memory + CROSSVM_CHANNEL_BLOCK_AT(end));
    channel->peer = (crossvm_private_word_t *)(void *)(memory + CROSSVM_CHANNEL_BLOCK_AT(1 - end));
    channel->send.ring = memory + CROSSVM_CHANNEL_RINGS_AT + (size_t)channel->ring_bytes * end;
    channel->recv.ring = memory + CROSSVM_CHANNEL_RINGS_AT + (size_t)channel->ring_bytes * (1 - end);
    /* At index 0, and nowhere NULL: calls before the first session compute with these, too. */
    channel->send.at = channel->send.end = channel->send.ring;
    channel->send.bias = 0 - (uint32_t)(uintptr_t)channel->send.ring;
    channel->recv.at = channel->recv.end = channel->recv.next = channel->recv.ring;
    channel->recv.bias = 0 - (uint32_t)(uintptr_t)channel->recv.ring;
    connect_words(channel);
    return 0;
}

crossvm_channel_state_t crossvm_channel_state(const crossvm_channel_t *channel)
{
    return (crossvm_channel_state_t)cvm_channel_state(channel);
}

const char *crossvm_channel_reason(const crossvm_channel_t *channel)
{
    return cvm_channel_state(channel) == CROSSVM_CHANNEL_BROKEN ? __atomic_load_n(&channel->reason, __ATOMIC_RELAXED)
                                                                : "";
}

unsigned int crossvm_channel_mode(const crossvm_channel_t *channel)
{
    return channel->config.mode;
}

uint64_t crossvm_channel_session(const crossvm_channel_t *channel)
{
    return channel->sessions;
}

size_t crossvm_channel_max_message(const crossvm_channel_t *channel)
{
    return channel->max_record - CROSSVM_CHANNEL_RECORD_HEADER;
}

size_t crossvm_channel_ring_bytes(const crossvm_channel_t *channel)
{
    return channel->ring_bytes;
}

void crossvm_channel_get_counts(const crossvm_channel_t *channel, crossvm_channel_counts_t *counts, size_t size)
{
    const crossvm_channel_counts_t all = {
        .emits = channel->send.emits + channel->recv.emits,
        .waits = channel->send.waits + channel->recv.waits + channel->waits,
        .sessions = channel->sessions,
    };

    __builtin_memset(counts, 0, size);
    __builtin_memcpy(counts, &all, size < sizeof(all) ? size : sizeof(all));
}

int crossvm_private_fail(crossvm_channel_t *channel, int error)
{
    if (channel->config.failed)
        channel->config.failed(channel->config.cookie, error);
    return error;
}
