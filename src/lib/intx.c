/* SPDX-License-Identifier: BSD-2-Clause */
#include "intx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../common/descriptor.h"

/*
 * Interrupt Disable is bit 10 of the 16-bit command register at 4. Only the upper byte is accessed: the kernel owns
 * bits of the lower one, which enable memory and bus mastering.
 */
#define COMMAND_HIGH 5
#define COMMAND_HIGH_INTX_DISABLE 0x04

static int config_error(ssize_t length)
{
    return length < 0 ? -errno : -EIO;
}

int cvm_intx_open(struct intx *intx, const struct uio_device *device)
{
    char path[64];
    ssize_t length;
    int error;

    snprintf(path, sizeof(path), "/sys/class/uio/uio%u/device/config", device->number);
    intx->config = descriptor_open(path, O_RDWR);
    if (intx->config < 0)
        return -errno;
    length = pread(intx->config, &intx->command_high, 1, COMMAND_HIGH);
    if (length != 1) {
        error = config_error(length);
        cvm_intx_close(intx);
        return error;
    }
    intx->command_high &= (uint8_t)~COMMAND_HIGH_INTX_DISABLE;
    return 0;
}

void cvm_intx_close(struct intx *intx)
{
    if (intx->config >= 0)
        close(intx->config);
    intx->config = -1;
}

int cvm_intx_unmask(const struct intx *intx)
{
    ssize_t length = pwrite(intx->config, &intx->command_high, 1, COMMAND_HIGH);

    return length == 1 ? 0 : config_error(length);
}
