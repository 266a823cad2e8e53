/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of consoles by their paths: the starter opens them, and console_file.h fills them. */
#pragma once

#include <stdbool.h>

/**
 * Opens or makes a file without waiting, and not through a symbolic link.
 *
 * @param anew empties it; otherwise what comes is appended
 * @return a descriptor, or -1 with errno
 */
int console_path_open(const char *path, bool anew);

/** Renames a file to PATH.1, which replaces an older one, and makes another. Returns its descriptor, or -1 with errno,
 * and then the file is still there. */
int console_path_rotate(const char *path);
