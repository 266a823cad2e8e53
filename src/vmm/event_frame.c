/* SPDX-License-Identifier: BSD-2-Clause */
#include "event_frame.h"

#include <stdbool.h>
#include <stdlib.h>

#include <sel4vm/guest_memory.h>
#include <sel4vmmplatsupport/guest_memory_util.h>
#include <vspace/vspace.h>

#include "connection.h"

static bool is_taken(vm_t *vm, uintptr_t address)
{
    vm_memory_reservation_t *probe =
        vm_reserve_memory_at(vm, address, CROSSVM_PAGE_SIZE, cvmm_connection_void_fault, NULL);

    return !probe || vm_free_reserved_memory(vm, probe);
}

static struct event_frame *create(struct guest *guest, uintptr_t address)
{
    struct event_frame *frame;

    /*
     * Asked before, since libsel4vm's create_allocated_reservation_frame() frees memory that is not its own when the
     * address is taken.
     */
    if (is_taken(guest->vm, address))
        return NULL;
    frame = calloc(1, sizeof(*frame));
    if (!frame)
        return NULL;
    frame->address = address;
    frame->mapping =
        create_allocated_reservation_frame(guest->vm, address, seL4_CanRead, cvmm_connection_event_page_fault, frame);
    if (!frame->mapping) {
        free(frame);
        return NULL;
    }
    frame->next = guest->frames;
    guest->frames = frame;
    return frame;
}

struct event_frame *cvmm_event_frame_get(struct guest *guest, uintptr_t address)
{
    vspace_t *vspace = &guest->vm->mem.vmm_vspace;
    struct event_frame *frame = guest->frames;

    while (frame && frame->address != address)
        frame = frame->next;
    if (!frame)
        frame = create(guest, address);
    /*
     * The VMM must not use libsel4vm's mapping, which is uncached, while the guest's is cached. On Arm, a store through
     * it goes past the caches, and a guest that has the line in a cache would go on loading the old value. The mapping
     * made here is cached, and so coherent with the guest's.
     */
    if (frame && !frame->memory)
        frame->memory = vspace_share_mem(vspace, vspace, frame->mapping, 1, seL4_PageBits, seL4_AllRights, true);
    return frame && frame->memory ? frame : NULL;
}

void cvmm_event_frames_free(struct guest *guest)
{
    while (guest->frames) {
        struct event_frame *frame = guest->frames;

        guest->frames = frame->next;
        free(frame);
    }
}
