/* SPDX-License-Identifier: BSD-2-Clause */
/* Description of a seL4 boot environment. Only signatures need the type; pass a null pointer. */
#pragma once

#include <sel4/sel4.h>
#include <utils/util.h>

typedef struct simple {
    void *data;
} simple_t;
