/* SPDX-License-Identifier: BSD-2-Clause */
/* Showing the devices of a topology. */
#pragma once

#include "topology.h"
#include "vm_command.h"

/**
 * Prints the devices that each guest would see, as crossvm-vm shows them. As JSON they are one array, with an object
 * for each VM.
 *
 * @return an exit status: 0, or 2 after a message
 */
int topology_dump(const struct topology *topology, const struct vm_command_options *options);
