/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI configuration space of a connection: identity, BARs that stay where they are, INTx, and one MSI.
 *
 * PCI Local Bus Specification 3.0, chapter 6. The guest may read and write it in any width; nothing that it writes
 * moves a BAR or reaches beyond this structure. No operating system and no libsel4vm here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_SPACE_BYTES 256
#define CONFIG_SPACE_BARS 6

/** A memory BAR: 32-bit, prefetchable. */
struct config_space_bar {
    uint32_t address; /**< guest physical; a multiple of size */
    uint32_t size;    /**< bytes, a power of two; 0: no BAR */
};

/** Configuration space of one function. */
struct config_space {
    uint8_t bytes[CONFIG_SPACE_BYTES];
    struct config_space_bar bars[CONFIG_SPACE_BARS];
    uint32_t bar_latch[CONFIG_SPACE_BARS]; /**< what the guest wrote last */
    bool has_msi;
    bool pending;     /**< the status register's interrupt bit: the function has an interrupt pending */
    uint8_t irq_line; /**< the true one: the register is the guest's to change */
};

/** The MSI that the guest programmed. */
struct config_space_msi {
    uint64_t address;
    uint32_t data;
};

/**
 * Power-on state.
 *
 * @param bars     CONFIG_SPACE_BARS of them
 * @param irq_line value of the interrupt line register
 * @param irq_pin  1 to 4 for INTA to INTD
 * @param has_msi  whether to offer an MSI capability
 */
void cvmm_config_space_init(struct config_space *config, const struct config_space_bar *bars, uint8_t irq_line,
                            uint8_t irq_pin, bool has_msi);

/** What the guest can write back to power-on values. */
void cvmm_config_space_reset(struct config_space *config);

/** Says whether the device has more than one function. */
void cvmm_config_space_set_multifunction(struct config_space *config, bool multifunction);

/** Reads size bytes (1, 2 or 4) at offset; 0 for what is outside. */
uint32_t cvmm_config_space_read(const struct config_space *config, size_t offset, size_t size);

/** Writes size bytes (1, 2 or 4) at offset; no effect outside and on read-only bits. */
void cvmm_config_space_write(struct config_space *config, size_t offset, size_t size, uint32_t value);

/** Whether the function may raise INTx: it is enabled, INTx is not disabled, and MSI is off. */
bool cvmm_config_space_intx_enabled(const struct config_space *config);

/** Whether the function may send its MSI (enabled, and a bus master), and which. */
bool cvmm_config_space_msi_enabled(const struct config_space *config, struct config_space_msi *msi);

uint8_t cvmm_config_space_irq_pin(const struct config_space *config);
