/* SPDX-License-Identifier: BSD-2-Clause */
/* Which BAR a dataport has, on a device whose BARs the VMM places (docs/device.md, section 3). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <crossvm/device.h>

#include "../vmm/config_space.h"

/** Bytes of BAR0. */
#define PCI_BARS_EVENT_BYTES 0x8000

/** How many of so many dataports have 64-bit BARs. A function has six registers for BARs: one for BAR0, five for those.
 */
#define PCI_BARS_WIDE(num_dataports) ((num_dataports) <= 2 ? (int)(num_dataports) : 5 - (int)(num_dataports))

struct pci_bars {
    struct config_space_bar bars[CONFIG_SPACE_BARS];
    int dataports[CONFIG_SPACE_BARS]; /**< number of the dataport that a BAR has; -1: none */
};

/**
 * Chooses the BARs.
 *
 * @param sizes of the dataports in bytes
 * @return -1, or the number of a dataport that has no BAR large enough
 */
int pci_bars_choose(struct pci_bars *bars, const uint64_t *sizes, size_t num_dataports);
