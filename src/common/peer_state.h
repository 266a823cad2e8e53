/* SPDX-License-Identifier: BSD-2-Clause */
/* What an end is told of its peer. */
#pragma once

#include <stdint.h>

#include <crossvm/device.h>

/** CROSSVM_PEER_* for an end whose peer says CROSSVM_DRIVER_*. More than OPEN is OPEN. */
static inline uint32_t peer_state_of(uint32_t driver_state)
{
    switch (driver_state) {
    case CROSSVM_DRIVER_NONE:
        return CROSSVM_PEER_ABSENT;
    case CROSSVM_DRIVER_BOUND:
        return CROSSVM_PEER_PRESENT;
    default:
        return CROSSVM_PEER_READY;
    }
}

/** The same of a state that a device tells. One that is not known is READY. */
static inline uint32_t peer_state_told(uint32_t peer_state)
{
    return peer_state <= CROSSVM_PEER_READY ? peer_state : CROSSVM_PEER_READY;
}
