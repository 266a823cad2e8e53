/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks of what a VMM gives crossvm_install(). A check that fails logs one line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <crossvm/vmm.h>

/** Logs one line about a connection, or, for NULL, about the whole installation. Returns -1. */
__attribute__((format(printf, 2, 3))) int cvmm_install_error(const char *name, const char *format, ...);

/** A dataport's configuration with the defaults in place of zeros. */
crossvm_dataport_config_t cvmm_dataport_config(const crossvm_dataport_config_t *given);

/** The size of a BAR for that many bytes: the next power of two, at least a page. */
size_t cvmm_bar_size(size_t bytes);

/** Checks where connections go. Returns 0, or -1 after a line in the log. */
int cvmm_check_bus(const crossvm_bus_t *bus);

/** Checks n configurations, alone and against each other and the VM's connections. Returns 0, or -1 after a line in the
 * log. */
int cvmm_check_configs(const crossvm_bus_t *bus, const crossvm_connection_config_t *configs, size_t n);
