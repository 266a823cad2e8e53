/* SPDX-License-Identifier: BSD-2-Clause */
#include "pci_bars.h"

#include <stdbool.h>

#include "../common/dataport_spec.h"

/* What a 32-bit BAR can tell of its size. */
#define MAX_NARROW_BYTES 0x80000000u

/* Whether a dataport is one of the largest; of equal ones the first is. */
static bool is_wide(const uint64_t *sizes, size_t num_dataports, size_t dataport)
{
    int larger = 0;

    for (size_t i = 0; i < num_dataports; i++)
        larger += sizes[i] > sizes[dataport] || (sizes[i] == sizes[dataport] && i < dataport);
    return larger < PCI_BARS_WIDE(num_dataports);
}

int pci_bars_choose(struct pci_bars *bars, const uint64_t *sizes, size_t num_dataports)
{
    size_t bar = CROSSVM_BAR_DATAPORT;

    *bars = (struct pci_bars){.bars[CROSSVM_BAR_EVENT].size = PCI_BARS_EVENT_BYTES};
    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++)
        bars->dataports[i] = -1;
    for (size_t i = 0; i < num_dataports; i++) {
        bool wide = is_wide(sizes, num_dataports, i);

        bars->bars[bar] = (struct config_space_bar){.size = bar_bytes(sizes[i]), .wide = wide};
        if (!wide && bars->bars[bar].size > MAX_NARROW_BYTES)
            return (int)i;
        bars->dataports[bar] = (int)i;
        bar += wide ? 2 : 1;
    }
    return -1;
}
