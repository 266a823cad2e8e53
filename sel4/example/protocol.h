/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the VMM, the component and the guest's program agree on: two connections of one guest with one component.
 *
 * "console" carries a line of text each way in one dataport. "sensor" has two: the guest writes how many samples it
 * wants, and the component writes samples where the guest may only read.
 */
#pragma once

#include <stdint.h>

#include <sel4/sel4.h>

/*
 * Badges of the capabilities with which the component signals the VMM. Each is one bit, since the kernel ORs the badges
 * of several signals. The bits are high, since libsel4vm takes badges up to CONFIG_MAX_NUM_NODES for vCPUs.
 */
#define BADGE_CONSOLE ((seL4_Word)1 << 16)
#define BADGE_SENSOR ((seL4_Word)1 << 17)

/* Badges of the capabilities with which the VMM signals the component, one for each connection. */
#define BADGE_GUEST_CONSOLE ((seL4_Word)1 << 0)
#define BADGE_GUEST_SENSOR ((seL4_Word)1 << 1)

#define CONSOLE_FRAMES 1
#define COMMAND_FRAMES 1
#define SAMPLE_FRAMES 8
#define FRAME_BITS seL4_PageBits

/** The dataport of "console": a line in each direction. */
struct console {
    struct console_line {
        uint32_t length; /**< bytes of text; written last */
        char text[1020];
    } to_component, to_guest;
};

/** The first dataport of "sensor". */
struct commands {
    uint32_t wanted; /**< samples that the guest wants, at most 8000 */
};

/** The second dataport of "sensor". */
struct samples {
    uint32_t ready; /**< samples in value; written last */
    uint32_t value[8000];
};
