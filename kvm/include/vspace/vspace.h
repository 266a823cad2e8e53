/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual address space of a seL4 process. There is one here, the VMM's own; what a vspace_t holds does not matter. */
#pragma once

#include <sel4/sel4.h>
#include <utils/util.h>
#include <vka/vka.h>

typedef struct vspace {
    void *data;
} vspace_t;

/** Maps pages of one address space in another, or again in the same. Here they are mapped, cached, already: gives
 * start, or NULL as if there were no memory for it (kvm_test_fail_after()). */
void *vspace_share_mem(vspace_t *from, vspace_t *to, void *start, int num_pages, size_t size_bits,
                       seL4_CapRights_t rights, int cacheable);

/** For vspace_unmap_pages(): the frames stay their owner's. */
#define VSPACE_PRESERVE ((vka_t *)0)

/*
 * What vm_map_reservation() leaves behind when it fails, in a VM's address space (vm->mem.vm_vspace): nothing, here.
 * The frame at an address is seL4_CapNull, and unmapping does nothing.
 */
seL4_CPtr vspace_get_cap(vspace_t *vspace, void *vaddr);
void vspace_unmap_pages(vspace_t *vspace, void *vaddr, size_t num_pages, size_t size_bits, vka_t *free);
