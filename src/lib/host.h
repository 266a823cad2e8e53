/* SPDX-License-Identifier: BSD-2-Clause */
/* An end on the host: a socket of a hub. */
#pragma once

#include "../wire/socket_directory.h"
#include "api.h"

/** Room for the path of a socket in a directory. */
#define SOCKET_PATH_BYTES (SOCKET_DIRECTORY_BYTES + CROSSVM_FULL_NAME_BYTES + 16)

/** Opens the end behind a socket. Returns 0 or a negative errno value with a sentence. */
int cvm_host_open(struct crossvm_end **end, const char *path);

/**
 * Asks the hub behind a socket about its end, without taking it.
 *
 * @return 0, or a negative errno value with a sentence: then info has the path, the error and nothing else
 */
int cvm_host_look(const char *path, crossvm_end_info_t *info);
