/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual address space of a seL4 process. There is one here, the VMM's own; what a vspace_t holds does not matter. */
#pragma once

#include <sel4/sel4.h>
#include <utils/util.h>

typedef struct vspace {
    void *data;
} vspace_t;

/** Maps pages of one address space in another, or again in the same. Here they are mapped, cached, already: gives
 * start, or NULL as if there were no memory for it (kvm_test_fail_after()). */
void *vspace_share_mem(vspace_t *from, vspace_t *to, void *start, int num_pages, size_t size_bits,
                       seL4_CapRights_t rights, int cacheable);
