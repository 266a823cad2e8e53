/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of devices: sel4vmmplatsupport/device.h. */
#include <sel4vmmplatsupport/device.h>

#include "resource.h"

int device_list_init(device_list_t *list)
{
    *list = (device_list_t){0};
    return 0;
}

int add_device(device_list_t *dev_list, const struct device *d)
{
    struct device *grown = kvm_grow(dev_list->devices, (size_t)dev_list->num_devices + 1, sizeof(*grown));

    if (!grown)
        return -1;
    grown[dev_list->num_devices++] = *d;
    dev_list->devices = grown;
    return 0;
}

struct device *find_device_by_pa(device_list_t *dev_list, uintptr_t addr)
{
    for (int i = 0; i < dev_list->num_devices; i++) {
        struct device *device = &dev_list->devices[i];

        if (addr >= device->pstart && addr - device->pstart < device->size)
            return device;
    }
    return NULL;
}
