/* SPDX-License-Identifier: BSD-2-Clause */
#include "scenario.h"

#include <stdio.h>
#include <string.h>

#include "../control.h"

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define READ CROSSVM_RIGHT_READ
#define RW (CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define NAME_63 "a-name-of-63-characters-which-is-as-long-as-a-name-can-be-00000"

/* All on one INTx line. */
static const struct scenario_connection shared[] = {
    {.name = CONTROL_NAME, .dataports = {{KIB(4), RW}}},
    {.name = "shared-a", .dataports = {{KIB(4), RW}}},
    {.name = "shared-b", .dataports = {{KIB(4), RW}}},
    {.name = "unbound", .dataports = {{KIB(4), RW}}},
};

/* The same line, through the full interface. */
static const struct scenario_connection more_shared[] = {
    {.name = "base", .dataports = {{KIB(8), RW}}, .base_block_only = true},
    {.name = "generic", .dataports = {{KIB(4), RW}}},
    {.name = "early", .dataports = {{KIB(4), RW}}},
};

/* With MSI, and every size. */
static const struct scenario_connection sizes[] = {
    {.name = "size-4k", .dataports = {{KIB(4), RW}}},
    {.name = "size-12k", .dataports = {{KIB(12), RW}}},
    {.name = "size-4k-64k", .dataports = {{KIB(4), RW}, {KIB(64), RW}}},
    {.name = "size-2m", .dataports = {{MIB(2), RW}}},
    {.name = "size-64m", .dataports = {{MIB(64), RW}}},
    {.name = "size-four", .dataports = {{KIB(4), READ}, {KIB(12), RW}, {KIB(64), READ}, {MIB(2), RW}}},
    {.name = "event-only"},
    {.name = "hostile", .dataports = {{KIB(4), RW}}},
    {.name = "msi-echo", .dataports = {{KIB(4), RW}}},
    {.name = "early-msi", .dataports = {{KIB(4), RW}}},
    {.name = "rebind", .dataports = {{KIB(4), RW}}},
    {.name = NAME_63, .dataports = {{KIB(4), RW}}},
};

static const struct scenario_install device_installs[] = {
    {.connections = shared, .n = COUNT(shared), .short_interface = true, .max_irqs = 1},
    {.connections = more_shared, .n = COUNT(more_shared), .max_irqs = 0},
    {.connections = sizes, .n = COUNT(sizes), .msi = true, .max_irqs = 0},
};

#define FOUR(prefix)                                                                                                   \
    {.name = prefix "0"}, {.name = prefix "1"}, {.name = prefix "2"},                                                  \
    {                                                                                                                  \
        .name = prefix "3"                                                                                             \
    }
#define TWENTY(prefix) FOUR(prefix "0"), FOUR(prefix "1"), FOUR(prefix "2"), FOUR(prefix "3"), FOUR(prefix "4")

static const struct scenario_connection hundred[] = {
    TWENTY("many-0"), TWENTY("many-1"), TWENTY("many-2"), TWENTY("many-3"), TWENTY("many-4"),
};
static const struct scenario_connection control_only[] = {
    {.name = CONTROL_NAME, .dataports = {{KIB(4), RW}}},
};
static const struct scenario_install many_installs[] = {
    {.connections = control_only, .n = 1, .max_irqs = 8},
    {.connections = hundred, .n = COUNT(hundred), .max_irqs = 8},
};

static const struct scenario_connection pair[] = {
    {.name = CONTROL_NAME, .dataports = {{KIB(4), RW}}},
    {.name = "pair", .dataports = {{KIB(4), RW}}},
};
static const struct scenario_install pair_installs[] = {
    {.connections = pair, .n = COUNT(pair), .short_interface = true, .max_irqs = 2},
};

static const struct scenario scenarios[] = {
    /* The guest can hold a hibernation image of itself twice: as it makes it, and as it loads it. */
    {"device", device_installs, COUNT(device_installs), 1, MIB(320)},
    {"smp", device_installs, COUNT(device_installs), 2, MIB(320)},
    {"many", many_installs, COUNT(many_installs), 1, MIB(128)},
    {"pair", pair_installs, COUNT(pair_installs), 1, MIB(128)},
};

const struct scenario *scenario_find(const char *name)
{
    for (size_t i = 0; i < COUNT(scenarios); i++) {
        if (strcmp(scenarios[i].name, name) == 0)
            return &scenarios[i];
    }
    return NULL;
}

void scenario_list(void)
{
    for (size_t i = 0; i < COUNT(scenarios); i++)
        (void)fprintf(stderr, " %s", scenarios[i].name);
    (void)fprintf(stderr, "\n");
}
