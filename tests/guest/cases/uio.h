/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices of the guest as UIO devices. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Number N of /dev/uioN for a connection, or -1. */
int uio_number(const char *name);

/** An open UIO device with its event page. */
struct uio {
    int fd;
    volatile uint8_t *registers;
};

struct uio uio_open(const char *name);
void uio_close(struct uio *uio);

/** Waits for a wake-up and takes it; false if none came in HANG_MS, or there is no driver any more. */
bool uio_wait(struct uio *uio);

/** Whether a read() would not block. */
bool uio_is_readable(const struct uio *uio);

uint32_t uio_reg(const struct uio *uio, size_t offset);
void uio_emit(struct uio *uio);
