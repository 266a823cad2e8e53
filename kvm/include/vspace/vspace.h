/* SPDX-License-Identifier: BSD-2-Clause */
/* Virtual address space of a seL4 process. Here it is always the VMM's own; the content of a vspace_t is ignored. */
#pragma once

#include <sel4/sel4.h>
#include <utils/util.h>
#include <vka/vka.h>

typedef struct vspace {
    void *data;
} vspace_t;

/** Maps pages of one address space in another, or again in the same. Here the pages are mapped, cached, already:
 * returns `start`, or NULL as if there were no memory (kvm_test_fail_after()). */
void *vspace_share_mem(vspace_t *from, vspace_t *to, void *start, int num_pages, size_t size_bits,
                       seL4_CapRights_t rights, int cacheable);

/** For vspace_unmap_pages(): its frames are not freed. */
#define VSPACE_PRESERVE ((vka_t *)0)

/*
 * For the address space of a VM (vm->mem.vm_vspace), where libsel4vm's vm_map_reservation() leaves frames when it
 * fails. Here it leaves none: the frame at each address is seL4_CapNull, and unmapping does nothing.
 */
seL4_CPtr vspace_get_cap(vspace_t *vspace, void *vaddr);
void vspace_unmap_pages(vspace_t *vspace, void *vaddr, size_t num_pages, size_t size_bits, vka_t *free);
