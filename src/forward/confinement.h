/* SPDX-License-Identifier: BSD-2-Clause */
/* What a forwarder gives up before it hears a socket or its peer (src/sandbox). */
#pragma once

#include "forwarder.h"

/**
 * Gives it up, as far as that may fail. To be called when the forwarder is there, and before there are other threads.
 *
 * What is left depends on the rules: without targets, no socket can be connected any more.
 *
 * @return 0, or -1 after a message
 */
int forward_confine(const struct forwarder_config *config);

/** ... and the system calls that forwarding does not need. 0, or -1 after a message. */
int forward_enter_filter(void);
