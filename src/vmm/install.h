/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An installation under way, and its two steps that make choices: addresses and interrupt numbers.
 */
#pragma once

#include <stddef.h>

#include <crossvm/vmm.h>

#include "bar_layout.h"
#include "guest.h"

/** An installation. */
struct install {
    const crossvm_bus_t *bus;
    const crossvm_connection_config_t *configs;
    size_t n;
    struct guest *guest;
    crossvm_connection_t **connections;              /**< n of them */
    int *irqs;                                       /**< n of them; 0: none yet */
    struct range (*bars)[1 + CROSSVM_MAX_DATAPORTS]; /**< n of them */
};

/** Sets the size and address of each BAR. Returns 0, or -1 after a line in the log. */
int cvmm_install_assign_bars(struct install *in);

/** Sets the interrupt number of each connection: one of its own while there are any, then a shared one. Returns 0, or
 * -1 after a line in the log. */
int cvmm_install_choose_irqs(struct install *in);

/** Keeps the numbers of a failed installation for the next one, since alloc_irq cannot take them back. */
void cvmm_install_keep_irqs(const struct install *in);
