/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest sees of its connections, as text for people.
 */
#pragma once

#include <stdio.h>

#include "machine.h"

/** Prints the device of each connection, from its configuration space and its registers. */
void dump_devices(FILE *out, const struct machine *machine);
