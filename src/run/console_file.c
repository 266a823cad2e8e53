/* SPDX-License-Identifier: BSD-2-Clause */
#include "console_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define OLDER ".1"

/* O_NONBLOCK: a FIFO that nobody reads is an error, instead of holding up all VMs. */
static int open_path(struct console_file *file, int flags)
{
    struct stat status;

    file->fd =
        open(file->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | flags, 0666);
    if (file->fd < 0)
        return -1;
    file->size = fstat(file->fd, &status) == 0 && S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return 0;
}

int console_file_open(struct console_file *file, const char *path, uint64_t max_size, bool anew)
{
    *file = (struct console_file){.path = path, .fd = -1, .max_size = max_size};
    return open_path(file, anew ? O_TRUNC : 0);
}

bool console_file_is_regular(const struct console_file *file)
{
    struct stat status;

    return fstat(file->fd, &status) == 0 && S_ISREG(status.st_mode);
}

void console_file_close(struct console_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* Makes the file the older one, and begins another. 0, or -1 with errno, and then the file is still there. */
static int rotate(struct console_file *file)
{
    char older[PATH_MAX];
    struct console_file next = *file;
    int error, length = snprintf(older, sizeof(older), "%s" OLDER, file->path);

    if (length < 0 || (size_t)length >= sizeof(older)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (rename(file->path, older))
        return -1;
    if (open_path(&next, O_EXCL)) {
        error = errno;
        (void)rename(older, file->path);
        errno = error;
        return -1;
    }
    console_file_close(file);
    *file = next;
    return 0;
}

/* Writes all of it. 0, or -1 with errno. */
static int write_all(struct console_file *file, const char *bytes, size_t n)
{
    while (n) {
        ssize_t written = write(file->fd, bytes, n);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        file->size += (uint64_t)written;
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

int console_file_put(struct console_file *file, const char *bytes, size_t n)
{
    bool was_failing = file->failing;

    file->failing = (file->size + n > file->max_size && file->size && rotate(file)) || write_all(file, bytes, n);
    return file->failing && !was_failing ? errno : 0;
}
