/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest_device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "../common/name.h"
#include "../common/peer_state.h"
#include "end.h"
#include "sysfs.h"

#define PCI_BARS 6

void cvm_guest_name(const struct uio_device *device, const struct device_description *description,
                    char name[CROSSVM_FULL_NAME_BYTES])
{
    if (!cvm_uio_is_own(device) && description && description->name[0])
        cvm_copy_text(name, CROSSVM_FULL_NAME_BYTES, description->name);
    else if (!cvm_uio_is_generic(device) && name_is_valid(device->label))
        cvm_copy_text(name, CROSSVM_FULL_NAME_BYTES, device->label);
    else
        snprintf(name, CROSSVM_FULL_NAME_BYTES, "uio%u", device->number);
}

/*
 * Maps the registers of a device for a look. With uio_pci_generic they are a file in sysfs. With another driver this
 * must open the device. It must not do so with the crossvm driver: that reports a program that opens the device to the
 * other end, and with the base block gives it events that are meant for another program.
 */
static int map_for_look(struct registers *page, const struct uio_device *device)
{
    int fd, error;

    if (cvm_uio_is_generic(device))
        return cvm_registers_map(page, device, -1, PROT_READ);
    if (cvm_uio_is_own(device))
        return -ENOTSUP;
    fd = descriptor_open(device->node, O_RDONLY);
    if (fd < 0)
        return -errno;
    error = cvm_registers_map(page, device, fd, PROT_READ);
    close(fd); /* the mapping stays */
    return error;
}

/* Whether a device has a name: 0, -ENOENT, or an error that kept it from being read. */
static int match_name(const struct uio_device *device, const char *name)
{
    struct device_description description;
    char own[CROSSVM_FULL_NAME_BYTES];
    struct registers page;
    int error;

    if (cvm_uio_is_generic(device)) {
        error = map_for_look(&page, device);
        if (error)
            return error;
        error = cvm_registers_describe(&page, &description);
        cvm_registers_unmap(&page);
        if (error)
            return error;
        cvm_guest_name(device, &description, own);
    } else {
        cvm_guest_name(device, NULL, own);
    }
    return strcmp(own, name) == 0 ? 0 : -ENOENT;
}

int cvm_guest_find(const char *name, struct uio_device *device)
{
    char link[32 + CROSSVM_FULL_NAME_BYTES];
    struct uio_device *devices;
    struct stat status;
    size_t count;
    int found = -ENOENT, error;

    snprintf(link, sizeof(link), "/dev/crossvm/%s", name);
    if (!stat(link, &status) && S_ISCHR(status.st_mode) && !cvm_uio_find(status.st_rdev, device))
        return 0;

    error = cvm_uio_list(&devices, &count);
    if (error)
        return error == -EACCES || error == -EPERM ? -ENOENT : error; /* a sandbox without sysfs has no devices */
    for (size_t i = 0; i < count && found != 0; i++) {
        error = match_name(&devices[i], name);
        if (error == 0) {
            found = 0;
            *device = devices[i];
        } else if (error == -EACCES || error == -EPERM) {
            found = -EACCES;
            *device = devices[i];
        }
    }
    free(devices);
    return found;
}

/* How a device is reached, when its registers cannot be read. */
static enum crossvm_via guess_via(const struct uio_device *device)
{
    if (cvm_uio_is_generic(device))
        return CROSSVM_VIA_PCI_GENERIC;
    return cvm_uio_is_own(device) && strcmp(device->version, "base") != 0 ? CROSSVM_VIA_DRIVER : CROSSVM_VIA_BASE_BLOCK;
}

void cvm_guest_describe(const struct uio_device *device, const struct registers *page, crossvm_end_info_t *info)
{
    uint64_t peer;

    info->owner = -1;
    cvm_copy_text(info->path, sizeof(info->path), device->node);
    cvm_copy_text(info->location, sizeof(info->location), device->pci_address);
    info->via = guess_via(device);
    if (!page)
        return;

    if (info->via != CROSSVM_VIA_PCI_GENERIC)
        info->via = page->extended ? CROSSVM_VIA_DRIVER : CROSSVM_VIA_BASE_BLOCK;
    if (!page->extended)
        return;
    peer = registers_peer(page);
    info->version = registers_load32(page, CROSSVM_REG_VERSION);
    info->end = registers_load32(page, CROSSVM_REG_END) & 1;
    info->peer_state = peer_state_told((uint32_t)peer);
    info->peer_generation = (uint32_t)(peer >> 32);
    info->events = registers_sequence(page);
    info->msi = cvm_uio_has_msi(device);
}

/* Dataports as sysfs knows them: sizes, and rights where they are always the same. */
static void look_at_bars(const struct uio_device *device, crossvm_end_info_t *info)
{
    uint32_t rights = info->via == CROSSVM_VIA_BASE_BLOCK ? CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE : 0;
    size_t n = 0;

    /* A 64-bit BAR has two numbers, and the second one no size. */
    for (unsigned int bar = CROSSVM_BAR_DATAPORT; bar < PCI_BARS && n < CROSSVM_MAX_DATAPORTS; bar++) {
        size_t size = cvm_uio_bar_size(device, bar);

        if (!size)
            continue;
        info->dataports[n].size = size;
        info->dataports[n].rights = rights;
        n++;
    }
    info->num_dataports = n;
}

/* The version that a driver tells, as the register has it; 0 for a device of the base block. */
static uint32_t parse_version(const char *text)
{
    unsigned int major, minor;

    return sscanf(text, "%u.%u", &major, &minor) == 2 ? major << 16 | minor : 0;
}

/* A number that the crossvm driver tells of a device, or 0. */
static uint64_t driver_tells(const struct uio_device *device, const char *what)
{
    uint64_t number;

    return cvm_sysfs_number(&number, "/sys/class/uio/uio%u/device/crossvm/%s", device->number, what) ? number : 0;
}

/* What the crossvm driver tells of a device with the extended block without an open(). */
static void look_at_attributes(const struct uio_device *device, crossvm_end_info_t *info)
{
    uint32_t state = (uint32_t)driver_tells(device, "peer_state");

    if (!info->version || state == UINT32_MAX) /* of a device that is gone, everything is ones */
        return;
    for (size_t i = 0; i < info->num_dataports; i++) {
        char file[64];

        snprintf(file, sizeof(file), "dataport%zu_rights", i);
        info->dataports[i].rights = (uint32_t)driver_tells(device, file);
    }
    info->end = driver_tells(device, "end") & 1;
    info->peer_state = peer_state_told(state);
    info->peer_generation = (uint32_t)driver_tells(device, "peer_generation");
    info->events = driver_tells(device, "events");
    info->msi = cvm_uio_has_msi(device);
}

void cvm_guest_look(const struct uio_device *device, crossvm_end_info_t *info)
{
    struct device_description description = {0};
    struct registers page = {0};
    bool described = false;

    memset(info, 0, sizeof(*info));
    if (map_for_look(&page, device) == 0) {
        described = cvm_registers_describe(&page, &description) == 0;
        cvm_guest_describe(device, &page, info);
        cvm_registers_unmap(&page);
    } else {
        cvm_guest_describe(device, NULL, info);
    }

    cvm_guest_name(device, described ? &description : NULL, info->name);
    if (!described || description.version == 0) {
        look_at_bars(device, info);
        if (cvm_uio_is_own(device)) {
            info->version = parse_version(device->version);
            look_at_attributes(device, info);
        }
        return;
    }
    info->num_dataports = description.num_dataports;
    for (size_t i = 0; i < description.num_dataports; i++) {
        info->dataports[i].size = description.dataports[i].size;
        info->dataports[i].rights = description.dataports[i].rights;
    }
}
