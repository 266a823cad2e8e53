/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A component that gives samples in datagrams without a copy: the guest's program asks for a number of them in text
 * ("100"), and the answer is written where the guest will read it.
 */
#pragma once

#include <stdint.h>

#include <sel4/sel4.h>

#include "protocol.h"

struct samples {
    seL4_CPtr notification;    /**< what the VMM signals, with BADGE_GUEST_SAMPLES */
    seL4_CPtr vmm_samples;     /**< the VMM's notification, with badge BADGE_SAMPLES */
    void *dataport;            /**< of SAMPLES_FRAMES frames, mapped cacheable, as the guest maps it */
    uint32_t (*measure)(void); /**< returns a sample */
};

/** Serves one program of the guest after the other. Does not return. */
_Noreturn void samples_serve(const struct samples *samples);
