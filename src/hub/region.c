/* SPDX-License-Identifier: BSD-2-Clause */
#include "region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../wire/memory.h"

#define HUGE_PAGE_BYTES 0x200000u

/* Lets dataports follow each other; large ones begin where huge pages do. Returns the size of the whole. */
static uint64_t lay_out(struct region *region, const struct dataport_spec *dataports, size_t n)
{
    uint64_t end = CROSSVM_REGION_DATAPORTS;

    for (size_t i = 0; i < n; i++) {
        if (dataports[i].size >= HUGE_PAGE_BYTES)
            end = (end + HUGE_PAGE_BYTES - 1) & ~(uint64_t)(HUGE_PAGE_BYTES - 1);
        region->offsets[i] = end;
        end += dataports[i].size;
    }
    return bar_bytes(end);
}

uint64_t region_bytes(const struct dataport_spec *dataports, size_t n)
{
    struct region region;

    return lay_out(&region, dataports, n);
}

int region_create(struct region *region, const char *name, const struct dataport_spec *dataports, size_t n)
{
    *region = REGION_NONE;
    region->memfd = memory_create(name, lay_out(region, dataports, n), F_SEAL_SEAL);
    if (region->memfd < 0)
        return -1;
    region->read_only = memory_open_read_only(region->memfd);
    region->front = memory_map(region->memfd, 0, REGION_FRONT_BYTES);
    if (region->read_only >= 0 && region->front)
        return 0;
    region_destroy(region);
    return -1;
}

void region_write_header(const struct region *region)
{
    *(volatile uint32_t *)(region->front + CROSSVM_REGION_VERSION) = CROSSVM_REGION_VERSION_VALUE;
    /* Release: orders all that the magic declares valid before it. Pairs with the load of it in a guest's driver. */
    __atomic_store_n((volatile uint64_t *)(region->front + CROSSVM_REGION_MAGIC), CROSSVM_REGION_MAGIC_VALUE,
                     __ATOMIC_RELEASE);
}

void region_destroy(struct region *region)
{
    if (region->front)
        munmap(region->front, REGION_FRONT_BYTES);
    if (region->read_only >= 0)
        close(region->read_only);
    if (region->memfd >= 0)
        close(region->memfd);
    *region = REGION_NONE;
}
