/* SPDX-License-Identifier: BSD-2-Clause */
#include "sysfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/descriptor.h"

/* Puts a path together. False when it does not fit, which paths of sysfs never are. */
static bool make_path(char path[PATH_MAX], const char *format, va_list arguments)
{
    int length = vsnprintf(path, PATH_MAX, format, arguments);

    return length >= 0 && length < PATH_MAX;
}

static bool read_text(const char *path, char *text, size_t size)
{
    int fd = descriptor_open(path, O_RDONLY);
    ssize_t length;

    if (fd < 0)
        return false;
    length = read(fd, text, size - 1);
    close(fd);
    if (length < 0)
        return false;
    text[length] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return true;
}

bool cvm_sysfs_text(char *text, size_t size, const char *path, ...)
{
    char whole[PATH_MAX];
    va_list arguments;
    bool made;

    va_start(arguments, path);
    made = make_path(whole, path, arguments);
    va_end(arguments);
    return made && read_text(whole, text, size);
}

bool cvm_sysfs_number(uint64_t *number, const char *path, ...)
{
    char whole[PATH_MAX], text[32], *rest;
    va_list arguments;
    bool made;

    va_start(arguments, path);
    made = make_path(whole, path, arguments);
    va_end(arguments);
    if (!made || !read_text(whole, text, sizeof(text)))
        return false;
    errno = 0;
    *number = strtoull(text, &rest, 0);
    return errno == 0 && rest != text && *rest == '\0';
}

bool cvm_sysfs_link(char *text, size_t size, const char *path, ...)
{
    char whole[PATH_MAX], target[PATH_MAX];
    const char *last;
    va_list arguments;
    ssize_t length;
    bool made;

    va_start(arguments, path);
    made = make_path(whole, path, arguments);
    va_end(arguments);
    if (!made)
        return false;
    length = readlink(whole, target, sizeof(target) - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    last = strrchr(target, '/');
    last = last ? last + 1 : target;
    if (strlen(last) >= size)
        return false;
    memcpy(text, last, strlen(last) + 1);
    return true;
}

bool cvm_sysfs_exists(const char *path, ...)
{
    char whole[PATH_MAX];
    va_list arguments;
    bool made;

    va_start(arguments, path);
    made = make_path(whole, path, arguments);
    va_end(arguments);
    return made && access(whole, F_OK) == 0;
}
