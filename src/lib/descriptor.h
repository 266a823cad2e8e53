/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors of this library are 3 or more. Programs may be started with descriptor 0, 1 or 2 closed, and then take it
 * for a standard stream: what they print to it must not go to a VM's process or a device.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

/** Moves a new descriptor to a number that no standard stream has. Returns it, or -1 with errno, and then it is closed.
 * Passes -1 on. */
static inline int cvm_above_standard(int fd)
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

/** open() with O_CLOEXEC. */
static inline int cvm_open(const char *path, int flags)
{
    return cvm_above_standard(open(path, flags | O_CLOEXEC));
}

/** opendir(). NULL with errno. */
static inline DIR *cvm_open_directory(const char *path)
{
    int fd = cvm_open(path, O_RDONLY | O_DIRECTORY);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !directory)
        close(fd);
    return directory;
}

/** Whether an error says that there are not enough descriptors, whatever was to be opened. */
static inline bool cvm_lacks_descriptors(int error)
{
    return error == EMFILE || error == ENFILE;
}
