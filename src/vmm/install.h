/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An installation under way, and the two of its steps that decide something: addresses and interrupt numbers.
 */
#pragma once

#include <stddef.h>

#include <crossvm/vmm.h>

#include "guest.h"
#include "layout.h"

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

/** Gives each BAR its size and address. 0, or -1 after a line in the log. */
int cvmm_install_assign_bars(struct install *in);

/** Gives each connection an interrupt number of its own while there are any; then they share. 0, or -1 after a line. */
int cvmm_install_choose_irqs(struct install *in);

/** Keeps the numbers of a failed installation for the next, since alloc_irq cannot take them back. */
void cvmm_install_keep_irqs(const struct install *in);
