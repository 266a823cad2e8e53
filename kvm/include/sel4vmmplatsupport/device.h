/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of devices: ranges of guest physical memory with fault handlers. */
#pragma once

#include <stdint.h>

#include <sel4vm/guest_vm.h>

struct device {
    const char *name;
    seL4_Word pstart; /**< guest physical address */
    seL4_Word size;   /**< bytes */
    int (*handle_device_fault)(vm_t *vm, vm_vcpu_t *vcpu, struct device *dev, uintptr_t addr, size_t len);
    void *priv;
};

typedef struct device_list {
    struct device *devices;
    int num_devices;
} device_list_t;

/** Makes the list empty. Returns 0. */
int device_list_init(device_list_t *list);

/** Adds a copy of a device. Returns 0, or -1 if there is no memory. */
int add_device(device_list_t *dev_list, const struct device *d);

/** Returns the device at a guest physical address, or NULL. */
struct device *find_device_by_pa(device_list_t *dev_list, uintptr_t addr);
