/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that this process makes to share it: memfds that pass received_memory_fault(). */
#pragma once

#include <stdint.h>

/** The most that this machine can hold: its RAM and its swap, in bytes. */
uint64_t memory_most(void);

/**
 * Makes a memfd of zeros that can neither shrink nor grow. Pages are taken from the machine when they are first
 * touched, so this succeeds also where memory will be short.
 *
 * @param name  for /proc
 * @param size  in bytes, a multiple of the page size
 * @param seals further F_SEAL_*, or 0
 * @return the memfd, or -1 with errno
 */
int memory_create(const char *name, uint64_t size, int seals);

/** A descriptor of it for reading only, for the caller to close; -1 with errno. */
int memory_open_read_only(int memfd);

/** Maps size bytes from an offset on, both multiples of the page size, for reading and writing. NULL with errno. */
void *memory_map(int memfd, uint64_t offset, uint64_t size);
