/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that the VMM allocates for the guest: sel4vmmplatsupport/guest_memory_util.h. */
#include <sel4vmmplatsupport/guest_memory_util.h>

#include <stdlib.h>
#include <string.h>

#include <utils/util.h>
#include <vspace/vspace.h>

#include <sel4vm_kvm.h>

#include "../../src/common/error_reason.h"
#include "reservation.h"
#include "resource.h"

static vm_frame_t the_frame(uintptr_t addr, void *cookie)
{
    const vm_frame_t *frame = cookie;

    (void)addr;
    return *frame;
}

void *create_allocated_reservation_frame(vm_t *vm, uintptr_t addr, seL4_CapRights_t rights,
                                         memory_fault_callback_fn alloc_fault_callback, void *alloc_fault_cookie)
{
    vm_frame_t frame = {.rights = rights, .vaddr = addr, .size_bits = seL4_PageBits};
    vm_memory_reservation_t *reservation;
    void *memory = NULL;
    int error;

    kvm_vmm_lock();
    reservation = vm_reserve_memory_at(vm, addr, PAGE_SIZE_4K, alloc_fault_callback, alloc_fault_cookie);
    if (!reservation)
        goto unlock;
    error = kvm_frames_create("guest-frame", 1, seL4_PageBits, &frame.cptr, NULL);
    if (error) {
        ZF_LOGE("VM %s: cannot make a frame for 0x%" PRIxPTR ": %s", vm->vm_name, addr, error_reason(-error));
        goto fail;
    }
    memory = kvm_frames_map(&frame.cptr, 1);
    if (!memory) {
        ZF_LOGE("VM %s: cannot map the frame for 0x%" PRIxPTR, vm->vm_name, addr);
        goto fail_frame;
    }
    if (vm_map_reservation(vm, reservation, the_frame, &frame))
        goto fail_map;
    reservation->frame = frame.cptr;
    reservation->frame_memory = memory;
    goto unlock;

fail_map:
    kvm_frames_unmap(memory, &frame.cptr, 1);
    memory = NULL;
fail_frame:
    kvm_frames_free(&frame.cptr, 1);
fail:
    vm_free_reserved_memory(vm, reservation);
unlock:
    kvm_vmm_unlock();
    return memory;
}

void *vspace_share_mem(vspace_t *from, vspace_t *to, void *start, int num_pages, size_t size_bits,
                       seL4_CapRights_t rights, int cacheable)
{
    (void)from;
    (void)to;
    (void)num_pages;
    (void)size_bits;
    (void)rights;
    (void)cacheable;
    return kvm_resource_fails() ? NULL : start;
}

seL4_CPtr vspace_get_cap(vspace_t *vspace, void *vaddr)
{
    (void)vspace;
    (void)vaddr;
    return seL4_CapNull;
}

void vspace_unmap_pages(vspace_t *vspace, void *vaddr, size_t num_pages, size_t size_bits, vka_t *free)
{
    (void)vspace;
    (void)vaddr;
    (void)num_pages;
    (void)size_bits;
    (void)free;
}

int map_frame_alloc_reservation(vm_t *vm, vm_memory_reservation_t *reservation)
{
    int error;

    if (!vm || !reservation) {
        ZF_LOGE("cannot map new frames: VM or reservation is missing");
        return -1;
    }
    kvm_vmm_lock();
    if (reservation->mapped) {
        ZF_LOGE("VM %s: the reservation at 0x%" PRIxPTR " is mapped already", vm->vm_name, reservation->addr);
        error = -1;
    } else {
        error = kvm_reservation_map_anonymous(vm, reservation);
    }
    kvm_vmm_unlock();
    return error;
}
