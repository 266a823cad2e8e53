/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running a topology: starts the VMs, watches over them, and ends when all have ended or a signal comes.
 */
#pragma once

#include "topology.h"
#include "vm_command.h"

/**
 * Runs it. SIGINT, SIGTERM and SIGHUP end all VMs in good order; a second one ends them at once.
 *
 * @return an exit status: 0 when all VMs ended well; 1 when one failed, which a message has named; 2 when the topology
 *         could not be started; 128 and the number of the signal that ended it
 */
int runner_run(const struct topology *topology, const struct vm_command_options *options);
