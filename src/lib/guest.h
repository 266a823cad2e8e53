/* SPDX-License-Identifier: BSD-2-Clause */
/* An end in a guest: a device behind UIO. */
#pragma once

#include "api.h"
#include "uio_device.h"

/** Opens the end of a device. Returns 0 or a negative errno value with a sentence. */
int cvm_guest_open(struct crossvm_end **end, const struct uio_device *device);
