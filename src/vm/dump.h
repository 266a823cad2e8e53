/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest sees of its connections, for people to read.
 */
#pragma once

#include <stdio.h>

#include "machine.h"

/** Prints each connection's device, as its configuration space and its registers have it. */
void dump_devices(FILE *out, const struct machine *machine);
