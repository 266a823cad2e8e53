/* SPDX-License-Identifier: BSD-2-Clause */
#include "registers.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../common/name.h"
#include "end.h"

/* Finds the pages of BAR0, once the registers are mapped. */
static void find_pages(struct registers *page)
{
    size_t doorbell = CROSSVM_REG_EMIT;
    uint32_t features = 0;

    if (page->extended)
        features = registers_load32(page, CROSSVM_REG_FEATURES);
    if (page->size > CROSSVM_PEER_PAGE && features & CROSSVM_FEATURE_PEER_PAGE)
        page->peer_seq = (volatile uint64_t *)(page->base + CROSSVM_REG_PEER_SEQ);
    if (page->size > CROSSVM_OWN_PAGE && features & CROSSVM_FEATURE_OWN_PAGE) {
        page->own_seq = (volatile uint64_t *)(page->base + CROSSVM_REG_OWN_SEQ);
        doorbell = CROSSVM_REG_DOORBELL;
    }
    page->doorbell = (volatile uint32_t *)(page->base + doorbell);
    page->doorbell_value = 1;
    if (page->size > CROSSVM_STATE_PAGE && features & CROSSVM_FEATURE_STATE_PAGE)
        page->state = CROSSVM_STATE_PAGE;
    page->driver = CROSSVM_REG_DRIVER;
    if (page->size > CROSSVM_DRIVER_PAGE && features & CROSSVM_FEATURE_DRIVER_PAGE)
        page->driver = CROSSVM_REG_DRIVER_ALONE;
}

/* Finds the pages of a region, and maps its doorbell where the driver offers that. */
static int find_region(struct registers *page, const struct uio_device *device, int fd, int prot, unsigned int end)
{
    int doorbell = cvm_uio_find_map(device, "doorbell"), error;

    if (!page->extended || page->size < CROSSVM_REGION_MAPPED_BYTES)
        return -EPROTO;
    page->own_seq = (volatile uint64_t *)(page->map + CROSSVM_REGION_COUNT_PAGE(end) - CROSSVM_REGION_MAPPED(end));
    page->peer_seq = (volatile uint64_t *)(page->map + CROSSVM_REGION_COUNT_PAGE(1 - end) - CROSSVM_REGION_MAPPED(end));
    page->doorbell_value = CROSSVM_IVSHMEM_TO_END(1 - end);
    page->driver = CROSSVM_REG_DRIVER;
    if (doorbell < 0)
        return 0;
    error = cvm_uio_map(device, fd, (unsigned int)doorbell, CROSSVM_PAGE_SIZE, prot, &page->doorbell_page);
    if (error)
        return error;
    page->doorbell = (volatile uint32_t *)((uint8_t *)page->doorbell_page + CROSSVM_IVSHMEM_DOORBELL);
    return 0;
}

/* A PCI device that is not there any more loads ones; no MAGIC of any device does. */
static bool is_gone(const struct registers *page)
{
    return registers_load32(page, CROSSVM_REG_MAGIC) == UINT32_MAX;
}

int cvm_registers_map(struct registers *page, const struct uio_device *device, int fd, int prot)
{
    size_t offered = cvm_uio_bar_size(device, CROSSVM_BAR_EVENT);
    bool end0 = cvm_uio_find_map(device, "end0") == CROSSVM_BAR_EVENT;
    bool end1 = cvm_uio_find_map(device, "end1") == CROSSVM_BAR_EVENT;
    void *address;
    int error;

    memset(page, 0, sizeof(*page));
    if (offered < CROSSVM_PAGE_SIZE)
        return -ENODEV;
    page->size = CROSSVM_DRIVER_PAGE + CROSSVM_PAGE_SIZE;
    while (page->size > offered)
        page->size -= CROSSVM_PAGE_SIZE;
    error = cvm_uio_map(device, fd, CROSSVM_BAR_EVENT, page->size, prot, &address);
    if (error)
        return error;

    page->map = page->base = address;
    if (end1 && page->size >= CROSSVM_REGION_MAPPED_BYTES)
        page->base += CROSSVM_REGION_EVENT_PAGE(1) - CROSSVM_REGION_MAPPED(1);
    if (is_gone(page)) {
        cvm_registers_unmap(page);
        return -ENXIO;
    }
    page->extended = registers_load32(page, CROSSVM_REG_MAGIC) == CROSSVM_MAGIC &&
                     registers_load32(page, CROSSVM_REG_VERSION) >> 16 == CROSSVM_DEVICE_VERSION_MAJOR;
    if (!end0 && !end1) {
        find_pages(page);
        return 0;
    }
    error = find_region(page, device, fd, prot, end1);
    if (error)
        cvm_registers_unmap(page);
    return error;
}

void cvm_registers_unmap(struct registers *page)
{
    if (page->map)
        munmap(page->map, page->size);
    if (page->doorbell_page)
        munmap(page->doorbell_page, CROSSVM_PAGE_SIZE);
    page->base = page->map = NULL;
    page->doorbell_page = NULL;
}

/* Copies a name of at most size bytes, word by word: BAR0 may be mapped as device memory, on which memcpy() can fault.
 */
static void copy_name(const struct registers *page, size_t offset, size_t size, char name[CROSSVM_FULL_NAME_BYTES])
{
    char copy[CROSSVM_FULL_NAME_BYTES + 1] = "";

    for (size_t i = 0; i < size; i += 4) {
        uint32_t word = registers_load32(page, offset + i);

        memcpy(copy + i, &word, 4);
    }
    cvm_copy_text(name, CROSSVM_FULL_NAME_BYTES, name_is_valid(copy) ? copy : "");
}

int cvm_registers_describe(const struct registers *page, struct device_description *description)
{
    uint32_t count;

    memset(description, 0, sizeof(*description));
    if (!page->extended) {
        copy_name(page, CROSSVM_REG_NAME, CROSSVM_NAME_BYTES, description->name);
        return 0;
    }

    copy_name(page, CROSSVM_REG_FULL_NAME, CROSSVM_FULL_NAME_BYTES, description->name);
    description->version = registers_load32(page, CROSSVM_REG_VERSION);
    description->end = registers_load32(page, CROSSVM_REG_END) & 1;
    count = registers_load32(page, CROSSVM_REG_NUM_DATAPORTS);
    if (count > CROSSVM_MAX_DATAPORTS)
        return -EPROTO;
    for (uint32_t i = 0; i < count; i++) {
        size_t entry = CROSSVM_REG_DATAPORT(i);

        description->dataports[i].size = registers_load64(page, entry + CROSSVM_DATAPORT_SIZE);
        description->dataports[i].rights = registers_load32(page, entry + CROSSVM_DATAPORT_RIGHTS);
        description->dataports[i].bar = registers_load32(page, entry + CROSSVM_DATAPORT_BAR);
    }
    description->num_dataports = count;
    return 0;
}
