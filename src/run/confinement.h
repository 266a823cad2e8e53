/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `crossvm run` gives up before it starts VMs (src/sandbox). It has two kinds of threads: that of its hub, and the
 * main one, which handles what guests print and what is typed. What only an unconfined process can do is left to the
 * starter (starter.h).
 */
#pragma once

#include "topology.h"
#include "vm_command.h"

/**
 * Gives up what no thread needs. To be called when the process has all its sockets, and before it has other threads.
 *
 * @param descriptors that it may have at most
 * @return 0, or -1 after a message
 */
int confinement_begin(const struct topology *topology, const struct vm_command_options *options, size_t descriptors);

/*
 * What each kind of thread then gives up; nothing if the process is not confined. The main thread is the last one. They
 * return 0, or -1 after a message.
 */
int confinement_enter_hub(void);
int confinement_enter_main(void);
