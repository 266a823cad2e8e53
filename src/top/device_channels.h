/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The channels of a device of this guest, in memory that the crossvm driver lets root map for reading
 * (linux/sysfs-driver-crossvm). To open the device itself would tell the peer that a program came.
 */
#pragma once

#include <crossvm/crossvm.h>

#include "channel_watch.h"

struct device_channels {
    size_t count; /**< of dataports; 0: this user may not read them, or the driver is an older one */
    const void *memory[CROSSVM_MAX_DATAPORTS];
    size_t sizes[CROSSVM_MAX_DATAPORTS];
    struct channel_watch channels[CROSSVM_MAX_DATAPORTS];
};

/**
 * Maps the dataports of a device. 0, or a negative errno value without a sentence: -EACCES: only root may, -ENOENT: the
 * driver has no such files, or the device is gone. Then there is nothing to close.
 */
int device_channels_open(struct device_channels *device, const crossvm_end_info_t *info);
void device_channels_close(struct device_channels *device);

/** Looks at all channels. False when the device is gone: it is to be closed. Not for two threads at once. */
bool device_channels_look(struct device_channels *device, int64_t now_ns);
