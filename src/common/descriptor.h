/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors of a library are 3 or more. A program may be started with descriptor 0, 1 or 2 closed, and use it as a
 * standard stream all the same: what it prints must not go to a hub or to a device.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

/** Moves a new descriptor to a number that no standard stream has. Returns it, or -1 with errno, and then it is closed.
 * Passes -1 on. */
static inline int descriptor_above_standard(int fd)
{
    int moved, error;

    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    error = errno;
    close(fd);
    errno = error;
    return moved;
}

/** Takes a descriptor from its owner, who then has -1. */
static inline int descriptor_take(int *owned)
{
    int fd = *owned;

    *owned = -1;
    return fd;
}

/** open() with O_CLOEXEC. */
static inline int descriptor_open(const char *path, int flags)
{
    return descriptor_above_standard(open(path, flags | O_CLOEXEC));
}

/** opendir(). NULL with errno. */
static inline DIR *descriptor_open_directory(const char *path)
{
    int fd = descriptor_open(path, O_RDONLY | O_DIRECTORY);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !directory)
        close(fd);
    return directory;
}

/** Whether an error says that there are not enough descriptors, whatever was to be opened. */
static inline bool descriptors_are_lacking(int error)
{
    return error == EMFILE || error == ENFILE;
}
