/* SPDX-License-Identifier: BSD-2-Clause */
/* A topology's connections in a hub: the only road from a file to the devices of guests. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../hub/hub.h"
#include "../qmp/vmm_device.h"
#include "topology.h"

/** Describes a connection to a hub. Texts stay the topology's. */
void topology_describe(const struct topology *topology, size_t connection, struct hub_connection_config *config);

/** Path of the socket at which an end, 0 or 1, is taken. False: too long. */
bool topology_socket(const struct topology *topology, size_t connection, int end, const char *dir, char path[PATH_MAX]);

/** The same for the VMM of a VM. */
void topology_vmm_socket(const struct topology *topology, size_t connection, int end, const char *dir,
                         struct vmm_socket *socket);

/** How many descriptors a hub takes for the connections. */
size_t topology_hub_descriptors(const struct topology *topology);

/** Bytes of the largest file that it makes for one of them. */
uint64_t topology_hub_file_bytes(const struct topology *topology);

/**
 * Makes a hub with all connections.
 *
 * @param dir   of the sockets; it has to outlive the hub
 * @param stats as for hub_create()
 * @return NULL after a message; else for hub_destroy()
 */
struct hub *topology_hub_create(const struct topology *topology, const char *dir, bool stats);
