/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The frames of a network interface, carried to the other end of a channel and from it (docs/net.md).
 *
 * Each frame is a datagram, read from the interface into the ring itself and written from there: this process copies
 * nothing. What the peer puts there is for the kernel to check, as what a network card receives.
 */
#pragma once

#include <crossvm/channel.h>
#include <crossvm/end_channel.h>

#include "interface.h"

struct traffic {
    crossvm_channel_t *channel; /**< of datagrams; nobody else uses it */
    const struct interface *interface;
    const volatile int *stop; /**< not 0: end, after a signal */
    size_t longest;           /**< bytes of the longest frame that goes to the peer; the ring takes one byte more */
    bool full;                /**< the ring had no room for a frame */
    bool waiting;             /**< the interface had no frame when it was looked at last */
    const char *complaint;    /**< what is wrong with the peer's hello, after -EPROTO */
};

/**
 * Makes ready to carry.
 *
 * @return 0, or -1 after a message: a datagram of the channel is too short for the interface's MTU
 */
int traffic_prepare(struct traffic *traffic, crossvm_channel_t *channel, const struct interface *interface,
                    const volatile int *stop);

/**
 * Carries frames in one session, from the greeting to the end.
 *
 * @param deadline of the peer's coming
 * @return what ended it: a negative errno value, -EINTR when stop is set; -EPROTO with `complaint` set when the peer is
 *         no `crossvm net`, or one of another kind; -EIO after a message, when the interface fails
 */
int traffic_carry(struct traffic *traffic, crossvm_deadline_t deadline);
