/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on a platform's I/O. Only signatures need the type; pass a null pointer. */
#pragma once

#include <utils/util.h>

typedef struct ps_io_ops {
    void *cookie;
} ps_io_ops_t;
