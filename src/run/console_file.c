/* SPDX-License-Identifier: BSD-2-Clause */
#include "console_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Takes a descriptor that the starter gave. 0, or -1 with errno. */
static int take(struct console_file *file, int fd)
{
    struct stat status;

    if (fd < 0) {
        errno = -fd;
        return -1;
    }
    file->fd = fd;
    file->size = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return 0;
}

int console_file_open(struct console_file *file, struct starter *starter, size_t vm, uint64_t max_size, bool anew)
{
    *file = (struct console_file){.fd = -1, .starter = starter, .vm = vm, .max_size = max_size};
    return take(file, starter_open_console(starter, vm, anew));
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

/* Begins another file. 0, or -1 with errno, and then the file is still there. */
static int rotate(struct console_file *file)
{
    struct console_file next = *file;

    if (take(&next, starter_rotate_console(file->starter, file->vm)))
        return -1;
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
