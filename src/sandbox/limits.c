/* SPDX-License-Identifier: BSD-2-Clause */
#include "limits.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/message.h"

/* Lowers a limit; one that is lower stays. */
static int lower(int resource, const char *what, rlim_t most)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) == 0) {
        limit.rlim_max = limit.rlim_max < most ? limit.rlim_max : most;
        limit.rlim_cur = limit.rlim_cur < most ? limit.rlim_cur : most;
        if (setrlimit(resource, &limit) == 0)
            return 0;
    }
    message("cannot limit its %s: %s", what, error_reason(errno));
    return -1;
}

/* --- descriptors --- */

/* Numbers that one call looks at. */
#define LOOKS 256

/* Tells of n numbers from the first on whether they are free: in revents. A path that is open (O_PATH) seems to be. */
static void look_at(struct pollfd looks[LOOKS], rlim_t first, size_t n)
{
    for (size_t i = 0; i < n; i++)
        looks[i] = (struct pollfd){.fd = (int)(first + i)};
    (void)poll(looks, (nfds_t)n, 0);
}

/* The lowest limit below which so many numbers are free: some above others may be in use. */
static rlim_t descriptors_with(size_t more)
{
    struct pollfd looks[LOOKS];
    struct rlimit limit;
    rlim_t number = 0;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return RLIM_INFINITY;
    for (; number < limit.rlim_cur && more; number++) {
        if (number % LOOKS == 0)
            look_at(looks, number, limit.rlim_cur - number < LOOKS ? (size_t)(limit.rlim_cur - number) : LOOKS);
        more -= (looks[number % LOOKS].revents & POLLNVAL) != 0;
    }
    return number;
}

/* --- memory --- */

/* Bytes of address space that are in use. False where /proc does not tell. */
static bool memory_in_use(rlim_t *bytes)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long pages = 0;
    bool known = file && fscanf(file, "%lu", &pages) == 1;

    if (file)
        (void)fclose(file);
    *bytes = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
    return known;
}

static rlim_t stack_bytes(void)
{
    pthread_attr_t attributes;
    size_t bytes = 0;

    if (pthread_getattr_default_np(&attributes) == 0) {
        (void)pthread_attr_getstacksize(&attributes, &bytes);
        (void)pthread_attr_destroy(&attributes);
    }
    return bytes + (rlim_t)sysconf(_SC_PAGESIZE); /* and the page that guards it */
}

/* --- files --- */

static bool is_regular(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

/* Output that was redirected to a file may grow. */
static bool writes_files(void)
{
    return is_regular(STDOUT_FILENO) || is_regular(STDERR_FILENO);
}

int limits_set(const struct limits *limits)
{
    rlim_t in_use;

    if (limits->more_descriptors != LIMITS_DESCRIPTORS_STAY &&
        lower(RLIMIT_NOFILE, "descriptors", descriptors_with(limits->more_descriptors)))
        return -1;
    if (memory_in_use(&in_use) &&
        lower(RLIMIT_AS, "memory", in_use + limits->more_memory + limits->more_threads * stack_bytes()))
        return -1;
    return writes_files() ? 0 : lower(RLIMIT_FSIZE, "files", limits->file_bytes);
}
