/* SPDX-License-Identifier: BSD-2-Clause */
/* Allocator of kernel objects. There are none here: only signatures need the type; pass a null pointer. */
#pragma once

#include <sel4/sel4.h>
#include <utils/util.h>

typedef struct vka {
    void *data;
} vka_t;

typedef struct vka_object {
    seL4_CPtr cptr;
} vka_object_t;
