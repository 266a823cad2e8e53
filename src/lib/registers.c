/* SPDX-License-Identifier: BSD-2-Clause */
#include "registers.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../common/name.h"
#include "end.h"

int cvm_registers_map(struct registers *page, const struct uio_device *device, int fd, int prot)
{
    size_t offered = cvm_uio_bar_size(device, CROSSVM_BAR_EVENT);
    uint32_t features = 0;
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

    page->base = address;
    page->extended = registers_load32(page, CROSSVM_REG_MAGIC) == CROSSVM_MAGIC &&
                     registers_load32(page, CROSSVM_REG_VERSION) >> 16 == CROSSVM_DEVICE_VERSION_MAJOR;
    if (page->extended)
        features = registers_load32(page, CROSSVM_REG_FEATURES);
    page->has_peer_page = page->size > CROSSVM_PEER_PAGE && features & CROSSVM_FEATURE_PEER_PAGE;
    page->has_own_page = page->size > CROSSVM_OWN_PAGE && features & CROSSVM_FEATURE_OWN_PAGE;
    if (page->size > CROSSVM_STATE_PAGE && features & CROSSVM_FEATURE_STATE_PAGE)
        page->state = CROSSVM_STATE_PAGE;
    page->driver = CROSSVM_REG_DRIVER;
    if (page->size > CROSSVM_DRIVER_PAGE && features & CROSSVM_FEATURE_DRIVER_PAGE)
        page->driver = CROSSVM_REG_DRIVER_ALONE;
    return 0;
}

void cvm_registers_unmap(struct registers *page)
{
    if (page->base)
        munmap(page->base, page->size);
    page->base = NULL;
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
