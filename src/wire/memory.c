/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

uint64_t memory_most(void)
{
    struct sysinfo info;

    if (sysinfo(&info))
        return UINT64_MAX;
    return ((uint64_t)info.totalram + info.totalswap) * info.mem_unit;
}

int memory_create(const char *name, uint64_t size, int seals)
{
    int memfd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int error;

    if (memfd < 0)
        return -1;
    if (ftruncate(memfd, (off_t)size) == 0 && fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | seals) == 0)
        return memfd;
    error = errno;
    close(memfd);
    errno = error;
    return -1;
}
