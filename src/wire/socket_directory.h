/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the sockets of connections are, for servers and for clients.
 *
 * $CROSSVM_DIR, if it is set. Otherwise /run/crossvm, or $XDG_RUNTIME_DIR/crossvm for a server that cannot use that, as
 * ordinary users cannot. So a client looks at both.
 *
 * libcrossvm has these functions, too: hence the prefix.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define SOCKET_DIRECTORY_BYTES 4096

/**
 * The directories in which a client looks, in this order.
 *
 * @param i    0 or more
 * @param path receives the directory, which need not exist
 * @return false when there are only i of them
 */
bool cvm_socket_directory(size_t i, char path[SOCKET_DIRECTORY_BYTES]);

/** The directory in which this process makes sockets if nobody names another. It need not exist yet. */
void cvm_socket_directory_for_server(char path[SOCKET_DIRECTORY_BYTES]);

/**
 * What makes a directory unsafe: whoever may write it can replace the sockets in it, or take names that are not served
 * yet, also where the sticky bit keeps existing files. Its group may write: whoever set the directory up chose the
 * group.
 *
 * @param as_server a server does not use the directory of another user than root either
 * @return NULL, or the rest of a sentence that begins with the path and ends with a remedy
 */
const char *cvm_socket_directory_status_fault(const struct stat *status, bool as_server);

/** The same of a path. NULL also when the directory cannot be looked at: then using it fails, too. */
const char *cvm_socket_directory_fault(const char *path, bool as_server);
