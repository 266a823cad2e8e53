/* SPDX-License-Identifier: BSD-2-Clause */
#include "console_path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#define OLDER ".1"

/* O_NONBLOCK: a FIFO that nobody reads is an error, instead of holding up all VMs. */
static int open_path(const char *path, int flags)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | flags, 0666);
}

int console_path_open(const char *path, bool anew)
{
    return open_path(path, anew ? O_TRUNC : 0);
}

int console_path_rotate(const char *path)
{
    char older[PATH_MAX];
    int fd, error, length = snprintf(older, sizeof(older), "%s" OLDER, path);

    if (length < 0 || (size_t)length >= sizeof(older)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (rename(path, older))
        return -1;
    fd = open_path(path, O_EXCL);
    if (fd >= 0)
        return fd;
    error = errno;
    (void)rename(older, path);
    errno = error;
    return -1;
}
