/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A component that answers the guest's `crossvm ping`, `crossvm bench` and `crossvm cat`: what comes goes back.
 *
 * What starts the component gives it capabilities and mapped dataports.
 */
#pragma once

#include <sel4/sel4.h>

#include "protocol.h"

struct echo {
    seL4_CPtr notification; /**< what the VMM signals, with BADGE_GUEST_ECHO and BADGE_GUEST_TEXT */
    seL4_CPtr vmm_echo;     /**< the VMM's notification, with badge BADGE_ECHO */
    seL4_CPtr vmm_text;     /**< the VMM's notification, with badge BADGE_TEXT */
    void *echo;             /**< the dataport of ECHO_FRAMES frames, mapped cacheable, as the guest maps it */
    void *text;             /**< the dataport of TEXT_FRAMES frames */
};

/** Serves one program of the guest after the other. Does not return. */
_Noreturn void echo_serve(const struct echo *echo);
