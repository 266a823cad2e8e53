/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual address space of a seL4 process. The type completes signatures; its value does not matter. */
#pragma once

#include <sel4/sel4.h>
#include <utils/util.h>

typedef struct vspace {
    void *data;
} vspace_t;
