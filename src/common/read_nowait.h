/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads that never wait, whatever the flags of the descriptor. */
#pragma once

#include <linux/fs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/** read() that fails with EAGAIN instead of waiting. musl has preadv2() only since 1.2.5. */
static inline ssize_t read_nowait(int fd, void *to, size_t size)
{
    struct iovec part = {.iov_base = to, .iov_len = size};

    return syscall(SYS_preadv2, fd, &part, 1UL, -1L, -1L, RWF_NOWAIT);
}
