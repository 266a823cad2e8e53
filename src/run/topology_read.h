/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a topology: its two lists.
 */
#pragma once

#include "document.h"
#include "topology.h"

/** How a file calls the end of a connection that is on the host. */
#define TOPOLOGY_HOST_NAME "host"

/** Reads the list of VMs. folder is what paths are relative to. */
void topology_read_vms(struct topology *topology, const char *folder, const struct part *list);

/** Reads the list of connections, after that of VMs. */
void topology_read_connections(struct topology *topology, const struct part *list);
