/* SPDX-License-Identifier: BSD-2-Clause */
#include "system.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "../harness/case.h"

const char *read_text(const char *path)
{
    static char text[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

    if (fd >= 0)
        close(fd);
    return n == (ssize_t)strlen(text);
}

int kernel_log_count(const char *text)
{
    static char log[1 << 18];
    int n = klogctl(3, log, sizeof(log) - 1);
    int count = 0;

    log[n > 0 ? n : 0] = '\0';
    for (const char *p = log; (p = strstr(p, text)); p += strlen(text))
        count++;
    return count;
}

void load_module(const char *path, const char *parameters)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    long result;

    CHECK(fd >= 0, "no module %s", path);
    result = syscall(SYS_finit_module, fd, parameters, 0);
    close(fd);
    CHECK(result == 0 || errno == EEXIST, "cannot load %s: %s", path, strerror(errno));
}
