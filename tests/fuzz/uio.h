/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In the place of src/lib/uio_device.c and intx.c: a device as Linux would show it, whose BARs are memory of the
 * target. Behind each is memory that nobody may touch.
 */
#pragma once

#include <stdint.h>

#include "../../src/lib/uio_device.h"

#define UIO_MAPS 5
#define UIO_MOST_BYTES 0x8000 /* of a map */

/** What Linux tells of the device. */
struct uio {
    size_t sizes[UIO_MAPS];
    const char *names[UIO_MAPS]; /**< of maps; NULL: the driver is another one */
    bool fails;                  /**< the next mapping does */
};
extern struct uio uio;

/** Fills in a device of a driver. Interrupts come by uio_interrupt(). */
void uio_describe(struct uio_device *device, const char *driver);

/** The memory of a map; or NULL, if it has no page there. */
uint8_t *uio_memory(unsigned int map, size_t offset);

/** The map that an address is in, mapped by the library or not; -1: none. Then offset receives where. */
int uio_find(const volatile void *at, size_t *offset);

/** Makes read() of the device return. */
void uio_interrupt(void);

/** Whether the library has something mapped. */
bool uio_is_mapped(void);

/** Unmaps all and takes interrupts back: for the next input. */
void uio_reset(void);
