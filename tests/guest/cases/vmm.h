/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMM that the guest runs in, and the commands to it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../control.h"

/** Whether the VMM's platform has MSI. */
extern bool has_msi;

extern volatile struct control *control;

/** Opens the control connection, through sysfs or through the driver. */
void control_open(void);
void control_open_through_driver(void);

/** A command with up to two arguments; the result. */
int command(enum control_op op, const char *name, uint64_t a, uint64_t b);

/** A command that must give 0. */
void do_command(enum control_op op, const char *name, uint64_t a, uint64_t b);

struct control_info info(const char *name);
void peek(const char *name, unsigned int dataport, uint64_t offset, void *bytes, size_t n);
void wait_for_flood(void);

/** Lines that the module has written to the VMM's log so far. */
uint64_t log_lines(void);
