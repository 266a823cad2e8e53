/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading a topology: its two lists.
 */
#pragma once

#include "part.h"
#include "topology.h"

/** How a file calls the end of a connection that is on the host. */
#define TOPOLOGY_HOST_NAME "host"

/** How a file calls both ends. */
#define TOPOLOGY_BOTH_NAME "both"

/** Reads the list of VMs. folder is what paths are relative to. */
void topology_read_vms(struct topology *topology, const char *folder, const struct part *list);

/** Reads the list of connections, after that of VMs. socket_dir is where those to the host get their sockets. */
void topology_read_connections(struct topology *topology, const char *socket_dir, const struct part *list);
