/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that another process has sent: whether it is safe to map. */
#pragma once

#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/**
 * What makes a descriptor unfit to be mapped. Whoever holds another descriptor of the same memory must not be able to
 * take a page away that this process has mapped, since the next access would raise SIGBUS. Sealed memory of tmpfs
 * cannot shrink, and a hole that is punched into it is filled with zeros. Of huge pages a hole is not filled, whatever
 * the seals, when the system has none left; other file systems have no seals.
 *
 * @param size bytes that will be mapped
 * @return NULL, or the rest of a sentence, such as "is smaller than it says"
 */
static inline const char *received_memory_fault(int fd, uint64_t size)
{
    const int seals = fcntl(fd, F_GET_SEALS);
    struct statfs filesystem;
    struct stat status;

    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        return "is no memfd sealed against shrinking";
    if (fstatfs(fd, &filesystem) || filesystem.f_type != TMPFS_MAGIC ||
        (uint64_t)filesystem.f_bsize != (uint64_t)sysconf(_SC_PAGESIZE))
        return "is no memory of tmpfs with pages of the usual size";
    if (fstat(fd, &status) || status.st_size < 0 || (uint64_t)status.st_size < size)
        return "is smaller than it says";
    return NULL;
}
