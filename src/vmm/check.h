/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VMM may ask for: checks of crossvm_install()'s arguments, each failure with its line in the log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <crossvm/vmm.h>

/** Logs one line about a connection (NULL: about the installation as a whole) and gives -1. */
__attribute__((format(printf, 2, 3))) int cvmm_install_error(const char *name, const char *format, ...);

/** Exact size of a dataport in bytes, which check_config() found to be right. */
size_t cvmm_dataport_size(const crossvm_dataport_config_t *dataport);

/** Size of a BAR for that many bytes: the next power of two, at least a page. */
size_t cvmm_bar_size(size_t bytes);

/** 0, or -1 after a line in the log. */
int cvmm_check_bus(const crossvm_bus_t *bus);

/** Checks configs[0] to configs[n - 1], alone and against each other and the VM's connections. 0, or -1 after a line in
 * the log. */
int cvmm_check_configs(const crossvm_bus_t *bus, const crossvm_connection_config_t *configs, size_t n);
