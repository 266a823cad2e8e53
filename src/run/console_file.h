/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM's console in a file that does not grow without end: at its limit the file is renamed to PATH.1, which replaces
 * an older one, and a new file begins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "starter.h"

struct console_file {
    int fd;                  /**< -1: closed */
    struct starter *starter; /**< opens it */
    size_t vm;               /**< whose console it is */
    uint64_t size;
    uint64_t max_size;
    bool failing; /**< output is lost; the owner was told */
};

#define CONSOLE_FILE_CLOSED ((struct console_file){.fd = -1})

/**
 * Opens the file, as console_path_open() has it.
 *
 * @param starter  opens it, and others later. It must outlive the file
 * @param max_size in bytes
 * @return 0, or -1 with errno
 */
int console_file_open(struct console_file *file, struct starter *starter, size_t vm, uint64_t max_size, bool anew);

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
