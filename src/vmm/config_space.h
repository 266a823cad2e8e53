/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PCI configuration space of a connection (PCI Local Bus Specification 3.0, chapter 6): identity, BARs, INTx, and
 * one MSI. BARs have fixed addresses, or are where the guest puts them.
 *
 * The guest may read and write it in any width. No write reaches beyond this structure. This file needs
 * neither an operating system nor libsel4vm.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_SPACE_BYTES 256
#define CONFIG_SPACE_BARS 6

/** A prefetchable memory BAR. */
struct config_space_bar {
    uint64_t size;    /**< bytes, a power of two; 0: no BAR */
    uint32_t address; /**< guest physical, of a BAR that does not move; a multiple of size */
    bool wide;        /**< 64-bit: takes the next BAR's register, too. Only of BARs that move */
};

/** Configuration space of one function. */
struct config_space {
    uint8_t bytes[CONFIG_SPACE_BYTES];
    struct config_space_bar bars[CONFIG_SPACE_BARS];
    uint32_t bar_latch[CONFIG_SPACE_BARS]; /**< what the guest last wrote to each BAR */
    bool has_msi;
    bool bars_move;   /**< the BARs are where the guest puts them */
    bool pending;     /**< bit 3 of the status register: the function has an interrupt pending */
    uint8_t irq_line; /**< the VMM's number; the guest may change the register */
};

/** The MSI that the guest programmed. */
struct config_space_msi {
    uint64_t address;
    uint32_t data;
};

/**
 * Sets the power-on state.
 *
 * @param bars     CONFIG_SPACE_BARS BARs
 * @param irq_line value of the interrupt line register
 * @param irq_pin  1 to 4 for INTA to INTD
 * @param has_msi  whether to offer an MSI capability
 */
void cvmm_config_space_init(struct config_space *config, const struct config_space_bar *bars, uint8_t irq_line,
                            uint8_t irq_pin, bool has_msi);

/**
 * Power-on state of a function whose BARs are placed by the guest or its VMM, on INTA, with an MSI capability.
 *
 * @param bars CONFIG_SPACE_BARS of them; their addresses do not count
 */
void cvmm_config_space_init_movable(struct config_space *config, const struct config_space_bar *bars);

/** Sets what the guest can write back to power-on values. */
void cvmm_config_space_reset(struct config_space *config);

/** Sets whether the device has more than one function. */
void cvmm_config_space_set_multifunction(struct config_space *config, bool multifunction);

/** Reads `size` bytes (1, 2 or 4) at an offset. Bytes beyond the space are 0. */
uint32_t cvmm_config_space_read(const struct config_space *config, size_t offset, size_t size);

/** Writes `size` bytes (1, 2 or 4) at an offset. No effect on read-only bits and beyond the space. */
void cvmm_config_space_write(struct config_space *config, size_t offset, size_t size, uint32_t value);

/** Whether the function may raise INTx: memory space is enabled, INTx is not disabled, and MSI is disabled. */
bool cvmm_config_space_intx_enabled(const struct config_space *config);

/** Whether the function may send its MSI: MSI is enabled, and so is bus master. If so, fills in `msi`. */
bool cvmm_config_space_msi_enabled(const struct config_space *config, struct config_space_msi *msi);

/** Whether the function may write to memory, as it does to send an MSI. */
bool cvmm_config_space_is_master(const struct config_space *config);

/** The interrupt pin register: 1 to 4. */
uint8_t cvmm_config_space_irq_pin(const struct config_space *config);
