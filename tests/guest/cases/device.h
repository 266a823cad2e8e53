/* SPDX-License-Identifier: BSD-2-Clause */
/* The devices of the guest, as PCI functions. Calls fail the case when there is no such device. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <crossvm/device.h>

#define MAX_DEVICES 160

struct device {
    char address[16]; /* 0000:00:01.0 */
    char name[CROSSVM_FULL_NAME_BYTES];
    volatile uint8_t *registers; /* BAR0 through sysfs, until a driver takes the device; then NULL */
};

extern struct device devices[MAX_DEVICES];
extern size_t num_devices;

/** Looks at all functions of the PCI bus that are connections. */
void find_devices(void);
struct device *device(const char *name);

/** Registers, through sysfs or through the driver. */
uint32_t reg32(const struct device *device, size_t offset);
uint64_t reg64(const struct device *device, size_t offset);

/**
 * A store of 1, 2, 4 or 8 bytes, by an instruction that does nothing else. In a loop of its own the compiler may take
 * one that moves on the address too, and such a store to registers is an error on arm64.
 */
void store(volatile uint8_t *registers, size_t offset, size_t width, uint64_t value);

/** Maps BAR i of a device through sysfs; to be unmapped with munmap(). */
volatile uint8_t *map_bar(const struct device *device, int bar, size_t size);

/** Loads the driver, and goes over from sysfs, whose mappings Linux revokes then, to the driver's. */
void load_driver(void);
void bind_driver(const char *driver, const char *name);
void unbind_driver(const char *driver, const char *name);

/** Gives a device to a driver of another kind, by driver_override; "" ends that. */
void override_driver(const char *driver, const char *name);
