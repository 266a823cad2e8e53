/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration space: BARs have registers for all dataports, and no other's. Whatever the guest writes, it changes
 * what it may change and nothing else. A BAR that does not move reads as its address, or as its size mask; one that
 * moves lies at a multiple of its size.
 *
 * Assumed: BARs that do not move have sizes and addresses as cvmm_install_assign_bars() gives them. Bounds: dataports
 * of up to 1 TiB. A proof of one write begins in any state in which these things hold, so they do after any number.
 */
#include "prove.h"

#include "../../src/hub/pci_bars.c"
#include "../../src/vmm/config_space.c"

static bool is_power(uint64_t size)
{
    return size >= CROSSVM_PAGE_SIZE && (size & (size - 1)) == 0;
}

static bool bar_is_possible(const struct config_space *config, size_t i)
{
    const struct config_space_bar *bar = &config->bars[i];

    if (bar->size == 0)
        return !bar->wide;
    if (!is_power(bar->size))
        return false;
    if (bar->wide)
        return config->bars_move && i + 1 < CONFIG_SPACE_BARS && config->bars[i + 1].size == 0;
    return bar->size <= (uint64_t)1 << 31 && (config->bars_move || (bar->address & (bar->size - 1)) == 0);
}

static bool bar_holds(const struct config_space *config, size_t i)
{
    const struct config_space_bar *bar = &config->bars[i];
    uint64_t value = get32(config, REG_BAR0 + 4 * i), flags = BAR_PREFETCHABLE | (bar->wide ? BAR_64BIT : 0);

    if (bar->size == 0)
        return (i > 0 && config->bars[i - 1].wide) || value == 0;
    if (bar->wide)
        value |= (uint64_t)get32(config, REG_BAR0 + 4 * (i + 1)) << 32;
    if ((value & (bar->size - 1)) != flags)
        return false;
    value -= flags;
    return config->bars_move || value == bar->address || value == (uint32_t) ~(bar->size - 1);
}

static bool config_holds(const struct config_space *config)
{
    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++) {
        if (!bar_is_possible(config, i) || !bar_holds(config, i))
            return false;
    }
    return (get16(config, REG_COMMAND) & ~COMMAND_WRITABLE) == 0 &&
           (!config->has_msi || (config->bytes[REG_MSI_ADDRESS] & 3) == 0);
}

static bool is_writable(const struct config_space *config, size_t offset)
{
    return offset == REG_COMMAND || offset == REG_COMMAND + 1 || offset == REG_CACHE_LINE || offset == REG_LATENCY ||
           offset == REG_IRQ_LINE || (offset >= REG_BAR0 && offset < REG_BARS_END) ||
           (config->has_msi && offset >= REG_MSI_CONTROL && offset < REG_MSI_END);
}

void prove_write(void)
{
    struct config_space config, before; /* in any state */
    size_t offset = nondet_size(), behind = nondet_size();
    struct config_space_msi msi;

    assume(config_holds(&config) && offset < CONFIG_SPACE_BYTES && behind >= CONFIG_SPACE_BYTES);
    before = config;
    cvmm_config_space_write(&config, nondet_size(), nondet_size(), nondet_u32());
    prove(config_holds(&config), "what held before");
    prove(is_writable(&config, offset) || config.bytes[offset] == before.bytes[offset], "the rest keeps its value");
    prove(config.has_msi == before.has_msi && config.bars_move == before.bars_move &&
              config.irq_line == before.irq_line && config.pending == before.pending,
          "nothing behind the registers");
    prove(cvmm_config_space_read(&config, behind, nondet_size()) == 0, "nothing is behind");
    if (cvmm_config_space_msi_enabled(&config, &msi))
        prove((msi.address & 3) == 0 && msi.data <= UINT16_MAX, "a message of a word");
    reached();
}

/* The module's device. */
void prove_fixed(void)
{
    struct config_space config, any;

    any.bars_move = false;
    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++)
        assume(bar_is_possible(&any, i));
    cvmm_config_space_init(&config, any.bars, (uint8_t)nondet_u32(), (uint8_t)nondet_u32(), nondet_bool());
    prove(config_holds(&config), "registers as they must be");
    reached();
}

/* The hub's device. */
void prove_movable(void)
{
    struct config_space config;
    uint64_t sizes[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports = nondet_size(), dataports = 0;
    struct pci_bars bars;

    assume(num_dataports <= CROSSVM_MAX_DATAPORTS);
    for (size_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++) {
        sizes[i] = nondet_u64();
        assume(sizes[i] > 0 && sizes[i] <= (uint64_t)1 << 40);
    }
    if (pci_bars_choose(&bars, sizes, num_dataports) >= 0)
        return;
    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++) {
        if (bars.dataports[i] < 0)
            continue;
        prove(bars.dataports[i] == (int)dataports && bars.bars[i].size >= sizes[dataports], "room for a dataport");
        dataports++;
    }
    prove(dataports == num_dataports, "each dataport has a BAR");
    cvmm_config_space_init_movable(&config, bars.bars);
    prove(config_holds(&config), "registers as they must be");
    reached();
}
