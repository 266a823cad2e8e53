/* SPDX-License-Identifier: BSD-2-Clause */
/* How ends are opened and shown. */
#pragma once

#include <stdio.h>

#include "command.h"

/** Opens an end. NULL after a message. */
crossvm_end_t *end_open(const char *name);

/** Words for the values of an end, the same for people and in JSON. */
const char *end_via(const crossvm_end_info_t *end);
const char *end_peer(const crossvm_end_info_t *end);
const char *end_rights(uint32_t rights);

const char *end_door(const crossvm_end_info_t *end);

/** Whether exits of the VM at the peer's end are counted. */
bool end_has_exits(const crossvm_end_info_t *end);

/** Whether it is known which interrupt the guest uses. */
bool end_has_interrupt(const crossvm_end_info_t *end);

/** Prints ends as a JSON array, perhaps in a line, and one as an object. Return an exit status. */
int ends_print_json(FILE *stream, const crossvm_end_info_t *ends, size_t count, bool in_a_line);
int end_print_json(const crossvm_end_info_t *end);
