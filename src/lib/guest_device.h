/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be known of a device without opening its end. */
#pragma once

#include "api.h"
#include "registers.h"
#include "uio_device.h"

/**
 * Finds the device of a connection: through the link /dev/crossvm/NAME, else by the names of all devices.
 *
 * @param device receives it; on -EACCES, one whose name this user may not read
 * @return 0, -ENOENT, -EACCES when it may be that device, or another negative errno value that kept it from looking.
 * Sets no sentence.
 */
int cvm_guest_find(const char *name, struct uio_device *device);

/** The name to show: the driver's, the device's, or else that of the UIO device. description may be NULL. */
void cvm_guest_name(const struct uio_device *device, const struct device_description *description,
                    char name[CROSSVM_FULL_NAME_BYTES]);

/** Looks at a device without disturbing a program that uses it. What this user may not read stays 0. */
void cvm_guest_look(const struct uio_device *device, crossvm_end_info_t *info);

/** Fills in what is the same for an open end and a look: path, location, MSI; with the registers also version, peer and
 * sequence. */
void cvm_guest_describe(const struct uio_device *device, const struct registers *page, crossvm_end_info_t *info);
