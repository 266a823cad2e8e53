/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rights to files and ports (Landlock): a process keeps the files that it has open, and can open no others except
 * what is allowed here by folder. Linux has it since 5.13, if it is enabled; of TCP ports since 6.7.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/** What a process may still do below a folder. */
enum landlock_folder_use {
    LANDLOCK_REMOVE, /**< take files out: sockets and locks at the end */
    LANDLOCK_READ,   /**< read files and folders */
    LANDLOCK_APPEND, /**< write, make, rename and take out files: consoles */
};

struct landlock_folder {
    const char *path;
    enum landlock_folder_use use;
};

/**
 * Applies to the calling thread, and to all that it starts. That cannot be undone.
 *
 * @param ports of TCP that sockets may still be connected to, of any host
 * @return 0, also where the kernel has no Landlock; -1 after a message
 */
int landlock_enter(const struct landlock_folder *folders, size_t num_folders, const uint16_t *ports, size_t num_ports);
