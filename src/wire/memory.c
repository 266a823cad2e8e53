/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
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
    /*
     * Whoever has a descriptor for reading only can open the memory anew, by /proc/self/fd, with what the file's mode
     * allows: so that is nothing to other users.
     */
    if (fchmod(memfd, S_IRUSR | S_IWUSR) == 0 && ftruncate(memfd, (off_t)size) == 0 &&
        fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | seals) == 0)
        return memfd;
    error = errno;
    close(memfd);
    errno = error;
    return -1;
}

int memory_open_read_only(int memfd)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void *memory_map(int memfd, uint64_t offset, uint64_t size)
{
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, (off_t)offset);

    return address == MAP_FAILED ? NULL : address;
}
