/* SPDX-License-Identifier: BSD-2-Clause */
/* The connections of a guest as its Linux shows them: PCI functions, each with a UIO device. No call sets a sentence.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <crossvm/device.h>

#define UIO_PCI_ADDRESS_BYTES 32

struct uio_device {
    unsigned int number;                     /* N of uioN */
    char node[32];                           /* /dev/uioN */
    char pci_address[UIO_PCI_ADDRESS_BYTES]; /* such as 0000:00:03.0 */
    char driver[32];
    char label[CROSSVM_FULL_NAME_BYTES]; /* from the driver: the connection's name, or the driver's own */
    char version[16];                    /* from the driver */
};

/** All devices of connections that have a driver, by number. Returns 0 or a negative errno value, with no list then;
 * the caller frees the list. */
int cvm_uio_list(struct uio_device **list, size_t *count);

/** The device of a connection behind a device node. Returns 0 or -ENOENT. */
int cvm_uio_find(dev_t node, struct uio_device *device);

/** Whether there is a PCI function CROSSVM_PCI_DEVICE or CROSSVM_IVSHMEM_PCI_DEVICE without a driver; address receives
 * where. */
bool cvm_uio_find_undriven(unsigned int function, char address[UIO_PCI_ADDRESS_BYTES]);

/** Whether the driver is this project's. */
bool cvm_uio_is_own(const struct uio_device *device);

/** Whether the driver is uio_pci_generic, which leaves BARs and interrupt masking to the program. */
bool cvm_uio_is_generic(const struct uio_device *device);

/** Whether the device interrupts by MSI. */
bool cvm_uio_has_msi(const struct uio_device *device);

/** Number of the map that the driver calls so; -1: there is none. */
int cvm_uio_find_map(const struct uio_device *device, const char *name);

/** Bytes of a BAR that a program can map; 0 when the driver offers none. */
size_t cvm_uio_bar_size(const struct uio_device *device, unsigned int bar);

/**
 * Maps the first bytes of a BAR.
 *
 * @param fd      of device->node
 * @param size    bytes, at most cvm_uio_bar_size()
 * @param prot    PROT_READ, or that and PROT_WRITE
 * @param address receives where
 * @return 0 or a negative errno value
 */
int cvm_uio_map(const struct uio_device *device, int fd, unsigned int bar, size_t size, int prot, void **address);
