/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's console in a file that does not grow without end: at its limit the file is renamed to PATH.1, which replaces
 * an older one, and a new file begins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console_file {
    const char *path;
    int fd; /**< -1: closed */
    uint64_t size;
    uint64_t max_size;
    bool failing; /**< output is lost; the owner was told */
};

#define CONSOLE_FILE_CLOSED ((struct console_file){.fd = -1})

/**
 * Opens the file without waiting, and not through a symbolic link.
 *
 * @param anew     empties it; otherwise what comes is appended
 * @param max_size in bytes
 * @return 0, or -1 with errno
 */
int console_file_open(struct console_file *file, const char *path, uint64_t max_size, bool anew);

/** Whether it is a regular file. Others, such as FIFOs, are for the VM itself: they do not grow, but writing may block.
 */
bool console_file_is_regular(const struct console_file *file);

/**
 * Writes what the VM printed to a regular file.
 *
 * @return 0, or an errno value when output is lost: only once until all is well again
 */
int console_file_put(struct console_file *file, const char *bytes, size_t n);

/** A closed one is allowed. */
void console_file_close(struct console_file *file);
