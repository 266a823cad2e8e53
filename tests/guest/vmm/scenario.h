/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connections of a test VM, made at its start.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/vmm.h>

/* A dataport of a scenario. */
struct scenario_dataport {
    size_t size; /* bytes; 0 ends the list */
    uint32_t guest_rights;
};

/* A connection of a scenario. */
struct scenario_connection {
    const char *name;
    struct scenario_dataport dataports[CROSSVM_MAX_DATAPORTS + 1];
    bool base_block_only;
};

/* Connections that are installed in one call. */
struct scenario_install {
    const struct scenario_connection *connections;
    size_t n;
    bool msi;             /* the bus offers MSI */
    bool short_interface; /* through cross_vm_connections_init_common() */
    int max_irqs;         /* how many interrupt numbers there are; then they are shared */
};

struct scenario {
    const char *name;
    const struct scenario_install *installs;
    size_t num_installs;
    unsigned int vcpus;
    size_t memory; /* bytes */
};

/* The scenario of that name, or NULL. */
const struct scenario *scenario_find(const char *name);

/* Prints the names of all scenarios. */
void scenario_list(void);
