/* SPDX-License-Identifier: BSD-2-Clause */
/* Printing what the guest sees of its connections. */
#pragma once

#include <stdio.h>

#include "machine.h"

/** Prints the device of each connection for people to read. */
void dump_devices(FILE *out, const struct machine *machine);

/** Prints them as one JSON object, with a newline at its end: docs/howto.md describes it. */
void dump_devices_json(FILE *out, const struct machine *machine);
