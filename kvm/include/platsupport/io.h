/* SPDX-License-Identifier: BSD-2-Clause */
/* Operations on a platform's I/O. The type completes signatures, and a null pointer will do. */
#pragma once

#include <utils/util.h>

typedef struct ps_io_ops {
    void *cookie;
} ps_io_ops_t;
