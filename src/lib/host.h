/* SPDX-License-Identifier: BSD-2-Clause */
/* An end on the host: a socket of the process that runs the VM. */
#pragma once

#include "api.h"

/** The directory of sockets: $CROSSVM_DIR, or the default. */
const char *cvm_host_directory(void);

/** Path of a connection's socket there. The caller frees it; NULL without memory. */
char *cvm_host_path(const char *name);

/** Opens the end behind a socket. Returns 0 or a negative errno value with a sentence. */
int cvm_host_open(struct crossvm_end **end, const char *path);

/**
 * Asks the process behind a socket about its end, without taking it.
 *
 * @return 0, or a negative errno value with a sentence: then info has the path and nothing else
 */
int cvm_host_look(const char *path, crossvm_end_info_t *info);
