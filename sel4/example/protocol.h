/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the VMM, the components and the guest's programs agree on: three connections of one guest.
 *
 * | connection | component | channel    | in the guest                                   |
 * | ---------- | --------- | ---------- | ---------------------------------------------- |
 * | echo       | echo      | datagrams  | `crossvm ping echo`, `crossvm bench echo`      |
 * | text       | echo      | stream     | `crossvm cat text`                             |
 * | samples    | samples   | datagrams  | `crossvm send samples N`, `crossvm recv samples` |
 */
#pragma once

#include <sel4/sel4.h>

/*
 * Badges of the capabilities with which components signal the VMM. Each is one bit, since the kernel ORs the badges of
 * several signals. The bits are high, since libsel4vm takes badges up to CONFIG_MAX_NUM_NODES for vCPUs.
 */
#define BADGE_ECHO ((seL4_Word)1 << 16)
#define BADGE_TEXT ((seL4_Word)1 << 17)
#define BADGE_SAMPLES ((seL4_Word)1 << 18)

/* Badges of the capabilities with which the VMM signals a component, one for each of its connections. */
#define BADGE_GUEST_ECHO ((seL4_Word)1 << 0)
#define BADGE_GUEST_TEXT ((seL4_Word)1 << 1)
#define BADGE_GUEST_SAMPLES ((seL4_Word)1 << 0)

#define FRAME_BITS seL4_PageBits
#define ECHO_FRAMES 64 /* 256 KiB: messages of bench are up to a quarter of that */
#define TEXT_FRAMES 64
#define SAMPLES_FRAMES 16
