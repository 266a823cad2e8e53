/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The native component's part: the other end of the connections of protocol.h.
 *
 * What starts the component gives it capabilities and mapped dataports. It needs nothing of VMs, PCI or this project,
 * only memory, a notification to wait for, and one to signal for each connection.
 */
#pragma once

#include <stdint.h>

#include <sel4/sel4.h>

#include "protocol.h"

struct component {
    seL4_CPtr notification; /**< what the VMM signals, with BADGE_GUEST_* */
    seL4_CPtr vmm_console;  /**< the VMM's notification, with badge BADGE_CONSOLE */
    seL4_CPtr vmm_sensor;   /**< the VMM's notification, with badge BADGE_SENSOR */

    /* The dataports, mapped cacheable, as the guest maps them. */
    volatile struct console *console;
    const volatile struct commands *commands;
    volatile struct samples *samples;

    uint32_t (*read_sensor)(void); /**< returns a sample */
};

/** Serves the guest. Does not return. */
void component_serve(const struct component *component);
