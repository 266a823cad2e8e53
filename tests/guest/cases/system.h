/* SPDX-License-Identifier: BSD-2-Clause */
/* Files and modules of the guest's kernel. */
#pragma once

#include <stdbool.h>

/** Reads a small file; "" when it is not there. Valid until the next call. */
const char *read_text(const char *path);

/** Writes a string to a file; false when that fails. */
bool write_text(const char *path, const char *text);

/** How often the kernel's log has that text. */
int kernel_log_count(const char *text);

/** Loads a module, if it is not loaded; else fails the case. */
void load_module(const char *path, const char *parameters);
