/* SPDX-License-Identifier: BSD-2-Clause */
#include "device.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../harness/case.h"
#include "system.h"
#include "uio.h"
#include "vmm.h"

#define PCI_DEVICES "/sys/bus/pci/devices"

struct device devices[MAX_DEVICES];
size_t num_devices;

static bool is_connection(const char *address)
{
    char path[320];

    (void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/vendor", address);
    if (strtoul(read_text(path), NULL, 16) != CROSSVM_PCI_VENDOR)
        return false;
    (void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/device", address);
    return strtoul(read_text(path), NULL, 16) == CROSSVM_PCI_DEVICE;
}

volatile uint8_t *map_bar(const struct device *device, int bar, size_t size)
{
    char path[128];
    void *memory;
    int fd;

    (void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/resource%d", device->address, bar);
    fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0, "%s: cannot open %s: %s", device->name, path, strerror(errno));
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    CHECK(memory != MAP_FAILED, "%s: cannot map %zu bytes of %s: %s", device->name, size, path, strerror(errno));
    return memory;
}

static bool is_known(const char *address)
{
    for (size_t i = 0; i < num_devices; i++) {
        if (strcmp(devices[i].address, address) == 0)
            return true;
    }
    return false;
}

void find_devices(void)
{
    DIR *directory = opendir(PCI_DEVICES);
    struct dirent *entry;

    CHECK(directory, "no %s", PCI_DEVICES);
    while ((entry = readdir(directory))) {
        struct device *found = &devices[num_devices];
        size_t offset = CROSSVM_REG_FULL_NAME;

        if (entry->d_name[0] == '.' || is_known(entry->d_name) || !is_connection(entry->d_name))
            continue;
        CHECK(num_devices < MAX_DEVICES, "more than %d devices", MAX_DEVICES);
        (void)snprintf(found->address, sizeof(found->address), "%.15s", entry->d_name);
        found->registers = map_bar(found, 0, CROSSVM_PAGE_SIZE);
        if (reg32(found, CROSSVM_REG_MAGIC) != CROSSVM_MAGIC)
            offset = CROSSVM_REG_NAME;
        for (size_t i = 0; i + 1 < sizeof(found->name) && found->registers[offset + i]; i++)
            found->name[i] = (char)found->registers[offset + i];
        num_devices++;
    }
    closedir(directory);
}

struct device *device(const char *name)
{
    for (size_t i = 0; i < num_devices; i++) {
        if (strcmp(devices[i].name, name) == 0)
            return &devices[i];
    }
    fail("no device is called %s", name);
}

uint32_t reg32(const struct device *device, size_t offset)
{
    struct uio uio;
    uint32_t value;

    if (device->registers)
        return *(volatile uint32_t *)(device->registers + offset);
    uio = uio_open(device->name);
    value = uio_reg(&uio, offset);
    uio_close(&uio);
    return value;
}

uint64_t reg64(const struct device *device, size_t offset)
{
    return reg32(device, offset) | (uint64_t)reg32(device, offset + 4) << 32;
}

void store(volatile uint8_t *registers, size_t offset, size_t width, uint64_t value)
{
    volatile uint8_t *address = registers + offset;

    switch (width) {
    case 1:
        *address = (uint8_t)value;
        break;
    case 2:
        *(volatile uint16_t *)address = (uint16_t)value;
        break;
    case 4:
        *(volatile uint32_t *)address = (uint32_t)value;
        break;
    default:
        *(volatile uint64_t *)address = value;
        break;
    }
}

/* --- drivers --- */

void load_driver(void)
{
    load_module("/lib/modules/crossvm.ko", "");
    for (size_t i = 0; i < num_devices; i++)
        devices[i].registers = NULL;
    control_open_through_driver();
}

static void tell_driver(const char *driver, const char *file, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s/%s", driver, file);
    CHECK(write_text(path, device(name)->address), "cannot write %s to %s: %s", device(name)->address, path,
          strerror(errno));
}

void bind_driver(const char *driver, const char *name)
{
    tell_driver(driver, "bind", name);
}

void unbind_driver(const char *driver, const char *name)
{
    tell_driver(driver, "unbind", name);
}

void override_driver(const char *driver, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof(path), PCI_DEVICES "/%s/driver_override", device(name)->address);
    CHECK(write_text(path, *driver ? driver : "\n"), "cannot write %s: %s", path, strerror(errno));
}
