/* SPDX-License-Identifier: BSD-2-Clause */
#include "uio_device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "../common/descriptor.h"
#include "sysfs.h"

#define UIO_CLASS "/sys/class/uio"
#define PCI_DEVICES "/sys/bus/pci/devices"
#define MAX_UIO_MAPS 5 /* as the kernel has it */

/* --- what there is --- */

/* Whether the PCI function at a sysfs path is of that kind. */
static bool has_id(const char *directory, uint64_t device)
{
    uint64_t vendor, id;

    return cvm_sysfs_number(&vendor, "%s/vendor", directory) && vendor == CROSSVM_PCI_VENDOR &&
           cvm_sysfs_number(&id, "%s/device", directory) && id == device;
}

/* Of the functions of ivshmem, those that this project's driver took. */
static bool is_connection(const char *directory, const struct uio_device *device)
{
    return has_id(directory, CROSSVM_PCI_DEVICE) ||
           (cvm_uio_is_own(device) && has_id(directory, CROSSVM_IVSHMEM_PCI_DEVICE));
}

/* Describes uioN. False when it is no connection, or is gone by now. */
static bool describe(unsigned int number, struct uio_device *device)
{
    char parent[64];

    memset(device, 0, sizeof(*device));
    device->number = number;
    snprintf(device->node, sizeof(device->node), "/dev/uio%u", number);
    snprintf(parent, sizeof(parent), UIO_CLASS "/uio%u/device", number);
    return cvm_sysfs_link(device->pci_address, sizeof(device->pci_address), "%s", parent) &&
           cvm_sysfs_link(device->driver, sizeof(device->driver), "%s/driver", parent) &&
           is_connection(parent, device) &&
           cvm_sysfs_text(device->label, sizeof(device->label), UIO_CLASS "/uio%u/name", number) &&
           cvm_sysfs_text(device->version, sizeof(device->version), UIO_CLASS "/uio%u/version", number);
}

/* The number in the file name uioN. */
static bool parse_number(const char *file, unsigned int *number)
{
    int length = 0;

    return sscanf(file, "uio%u%n", number, &length) == 1 && file[length] == '\0';
}

int cvm_uio_find(dev_t node, struct uio_device *device)
{
    unsigned int number;
    char file[32];

    if (!cvm_sysfs_link(file, sizeof(file), "/sys/dev/char/%u:%u", major(node), minor(node)))
        return -ENOENT;
    return parse_number(file, &number) && describe(number, device) ? 0 : -ENOENT;
}

static int by_number(const void *a, const void *b)
{
    const struct uio_device *left = a, *right = b;

    return (left->number > right->number) - (left->number < right->number);
}

int cvm_uio_list(struct uio_device **list, size_t *count)
{
    struct uio_device device, *grown;
    struct dirent *entry;
    unsigned int number;
    int error = 0;
    DIR *class;

    *list = NULL;
    *count = 0;
    class = descriptor_open_directory(UIO_CLASS);
    if (!class)
        return errno == ENOENT ? 0 : -errno; /* without UIO there are no such devices */

    while (!error && (entry = readdir(class)) != NULL) {
        if (!parse_number(entry->d_name, &number))
            continue;
        errno = 0;
        if (!describe(number, &device)) {
            error = descriptors_are_lacking(errno) ? -errno : 0;
            continue;
        }
        grown = reallocarray(*list, *count + 1, sizeof(device));
        if (grown) {
            *list = grown;
            grown[(*count)++] = device;
        } else {
            error = -ENOMEM;
        }
    }
    closedir(class);
    if (error) {
        free(*list);
        *list = NULL;
        *count = 0;
    } else if (*list) {
        qsort(*list, *count, sizeof(device), by_number);
    }
    return error;
}

bool cvm_uio_find_undriven(unsigned int function, char address[UIO_PCI_ADDRESS_BYTES])
{
    DIR *devices = descriptor_open_directory(PCI_DEVICES);
    struct dirent *entry;
    bool found = false;
    char path[300];

    if (!devices)
        return false;
    while (!found && (entry = readdir(devices)) != NULL) {
        snprintf(path, sizeof(path), PCI_DEVICES "/%s", entry->d_name);
        found = strlen(entry->d_name) < UIO_PCI_ADDRESS_BYTES && has_id(path, function) &&
                !cvm_sysfs_exists("%s/driver", path);
        if (found)
            memcpy(address, entry->d_name, strlen(entry->d_name) + 1);
    }
    closedir(devices);
    return found;
}

bool cvm_uio_is_own(const struct uio_device *device)
{
    return strcmp(device->driver, "crossvm") == 0;
}

bool cvm_uio_is_generic(const struct uio_device *device)
{
    return strcmp(device->driver, "uio_pci_generic") == 0;
}

bool cvm_uio_has_msi(const struct uio_device *device)
{
    return cvm_sysfs_exists(PCI_DEVICES "/%s/msi_irqs", device->pci_address);
}

/* --- BARs: UIO maps, which drivers of connections number like the BARs, or resource files of the PCI core --- */

/*
 * Opens the file of a BAR. On arm64, a plain resource file is mapped as device memory, on which unaligned accesses
 * fault, such as those of memcpy(); the write-combining one is normal memory. On x86, the plain one must be used:
 * stores to write-combining memory overtake each other, and code for x86 relies on their order.
 */
static int open_resource(const struct uio_device *device, unsigned int bar, int flags)
{
    char path[128];
    int fd = -1;

#if defined(__aarch64__)
    if (bar != CROSSVM_BAR_EVENT) {
        snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource%u_wc", device->pci_address, bar);
        fd = descriptor_open(path, flags);
    }
#endif
    if (fd < 0) {
        snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource%u", device->pci_address, bar);
        fd = descriptor_open(path, flags);
    }
    return fd;
}

static int map_file(int fd, size_t size, int prot, off_t offset, void **address)
{
    void *mapped = mmap(NULL, size, prot, MAP_SHARED, fd, offset);

    if (mapped == MAP_FAILED)
        return -errno;
    *address = mapped;
    return 0;
}

static bool map_is(const struct uio_device *device, unsigned int map, const char *name)
{
    char found[32];

    return cvm_sysfs_text(found, sizeof(found), UIO_CLASS "/uio%u/maps/map%u/name", device->number, map) &&
           strcmp(found, name) == 0;
}

int cvm_uio_find_map(const struct uio_device *device, const char *name)
{
    for (unsigned int map = 0; cvm_uio_is_own(device) && map < MAX_UIO_MAPS; map++) {
        if (map_is(device, map, name))
            return (int)map;
    }
    return -1;
}

size_t cvm_uio_bar_size(const struct uio_device *device, unsigned int bar)
{
    uint64_t size, offset;
    struct stat status;
    char path[128];

    if (cvm_uio_is_generic(device)) {
        snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource%u", device->pci_address, bar);
        return stat(path, &status) || status.st_size < 0 ? 0 : (size_t)status.st_size;
    }
    if (cvm_uio_is_own(device) && map_is(device, bar, "doorbell"))
        return 0; /* behind the last dataport */
    /* A map that does not begin on a page would need an offset in each address. No connection has one. */
    if (!cvm_sysfs_number(&offset, UIO_CLASS "/uio%u/maps/map%u/offset", device->number, bar) || offset != 0)
        return 0;
    return cvm_sysfs_number(&size, UIO_CLASS "/uio%u/maps/map%u/size", device->number, bar) ? size : 0;
}

int cvm_uio_map(const struct uio_device *device, int fd, unsigned int bar, size_t size, int prot, void **address)
{
    int resource, error;

    if (!cvm_uio_is_generic(device)) /* the offset, in pages, selects the map */
        return map_file(fd, size, prot, (off_t)bar * sysconf(_SC_PAGESIZE), address);

    resource = open_resource(device, bar, prot & PROT_WRITE ? O_RDWR : O_RDONLY);
    if (resource < 0)
        return -errno;
    error = map_file(resource, size, prot, 0, address);
    close(resource);
    return error;
}
