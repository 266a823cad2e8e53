/* SPDX-License-Identifier: BSD-2-Clause */
#include "reservation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "frame.h"
#include "resource.h"
#include "vm.h"

int kvm_reservations_init(vm_t *vm)
{
    vm->mem.reservation_cookie = kvm_alloc(1, sizeof(*vm->mem.reservation_cookie));
    return vm->mem.reservation_cookie ? 0 : -ENOMEM;
}

void kvm_reservations_destroy(vm_t *vm)
{
    vm_memory_reservation_cookie_t *all = vm->mem.reservation_cookie;

    if (!all)
        return;
    while (all->num)
        vm_free_reserved_memory(vm, all->reservations[all->num - 1]);
    free(all->reservations);
    free(all->anonymous);
    free(all);
    vm->mem.reservation_cookie = NULL;
}

/* --- looking --- */

/* The index of the first reservation that ends at or after an address. */
static size_t find_index(const vm_memory_reservation_cookie_t *all, uintptr_t addr)
{
    size_t low = 0, high = all->num;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const vm_memory_reservation_t *reservation = all->reservations[middle];

        if (reservation->addr + (reservation->size - 1) < addr)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

vm_memory_reservation_t *kvm_reservation_find(const vm_t *vm, uintptr_t addr)
{
    const vm_memory_reservation_cookie_t *all = vm->mem.reservation_cookie;
    size_t i = find_index(all, addr);

    return i < all->num && all->reservations[i]->addr <= addr ? all->reservations[i] : NULL;
}

struct kvm_slot *kvm_reservation_slot(const vm_memory_reservation_t *reservation, uintptr_t addr)
{
    for (size_t i = 0; i < reservation->num_slots; i++) {
        struct kvm_slot *slot = &reservation->slots[i];

        if (addr >= slot->start && addr - slot->start < slot->size)
            return slot;
    }
    return NULL;
}

void vm_get_reservation_memory_region(vm_memory_reservation_t *reservation, uintptr_t *addr, size_t *size)
{
    *addr = reservation->addr;
    *size = reservation->size;
}

/* --- reserving --- */

static const char *range_objection(uintptr_t addr, size_t size)
{
    if (!size)
        return "the size is 0";
    if (!IS_ALIGNED_4K(addr) || !IS_ALIGNED_4K(size))
        return "address and size must be multiples of 4096";
    if (addr + (size - 1) < addr)
        return "it goes beyond the address space";
    return NULL;
}

static bool overlap(uintptr_t a, size_t a_size, uintptr_t b, size_t b_size)
{
    return a <= b + (b_size - 1) && b <= a + (a_size - 1);
}

static bool overlaps_reservation(const vm_memory_reservation_cookie_t *all, uintptr_t addr, size_t size)
{
    size_t i = find_index(all, addr);

    return i < all->num && overlap(addr, size, all->reservations[i]->addr, all->reservations[i]->size);
}

static bool overlaps_anonymous(const vm_memory_reservation_cookie_t *all, uintptr_t addr, size_t size)
{
    for (size_t i = 0; i < all->num_anonymous; i++) {
        if (overlap(addr, size, all->anonymous[i].start, all->anonymous[i].size))
            return true;
    }
    return false;
}

/* Inserts a reservation. The caller has checked that the range is free. */
static vm_memory_reservation_t *add(vm_t *vm, uintptr_t addr, size_t size, memory_fault_callback_fn callback,
                                    void *cookie)
{
    vm_memory_reservation_cookie_t *all = vm->mem.reservation_cookie;
    vm_memory_reservation_t *reservation = kvm_alloc(1, sizeof(*reservation));
    vm_memory_reservation_t **grown = kvm_grow(all->reservations, all->num + 1, sizeof(*grown));
    size_t i;

    if (grown)
        all->reservations = grown;
    if (!reservation || !grown) {
        free(reservation);
        ZF_LOGE("VM %s: no memory for a reservation at 0x%" PRIxPTR, vm->vm_name, addr);
        return NULL;
    }
    i = find_index(all, addr);
    *reservation = (vm_memory_reservation_t){.addr = addr, .size = size, .callback = callback, .cookie = cookie};
    memmove(&grown[i + 1], &grown[i], (all->num - i) * sizeof(*grown));
    grown[i] = reservation;
    all->num++;
    return reservation;
}

/* Shrinks the array after a removal, so that a VM holds as much as before a reservation that came and went. */
static void shrink(vm_memory_reservation_cookie_t *all)
{
    vm_memory_reservation_t **shrunk = NULL;

    if (all->num == 0)
        free(all->reservations);
    else
        shrunk = reallocarray(all->reservations, all->num, sizeof(*shrunk));
    if (shrunk || all->num == 0)
        all->reservations = shrunk;
}

vm_memory_reservation_t *vm_reserve_memory_at(vm_t *vm, uintptr_t addr, size_t size,
                                              memory_fault_callback_fn fault_callback, void *cookie)
{
    const char *objection = fault_callback ? range_objection(addr, size) : "there is no fault callback";
    vm_memory_reservation_t *reservation = NULL;

    kvm_vmm_lock();
    if (!objection && (overlaps_reservation(vm->mem.reservation_cookie, addr, size) ||
                       overlaps_anonymous(vm->mem.reservation_cookie, addr, size)))
        objection = "it overlaps another reservation";
    if (objection)
        ZF_LOGE("VM %s: cannot reserve %zu bytes at 0x%" PRIxPTR ": %s", vm->vm_name, size, addr, objection);
    else
        reservation = add(vm, addr, size, fault_callback, cookie);
    kvm_vmm_unlock();
    return reservation;
}

int vm_memory_make_anon(vm_t *vm, uintptr_t addr, size_t size)
{
    vm_memory_reservation_cookie_t *all = vm->mem.reservation_cookie;
    const char *objection = range_objection(addr, size);
    struct kvm_anonymous *grown;

    kvm_vmm_lock();
    if (!objection && (overlaps_reservation(all, addr, size) || overlaps_anonymous(all, addr, size)))
        objection = "it overlaps a reservation";
    if (!objection) {
        grown = kvm_grow(all->anonymous, all->num_anonymous + 1, sizeof(*grown));
        if (grown) {
            all->anonymous = grown;
            grown[all->num_anonymous++] = (struct kvm_anonymous){.start = addr, .size = size, .next = addr};
        } else {
            objection = "no memory";
        }
    }
    kvm_vmm_unlock();

    if (!objection)
        return 0;
    ZF_LOGE("VM %s: cannot set %zu bytes at 0x%" PRIxPTR " aside: %s", vm->vm_name, size, addr, objection);
    return -1;
}

vm_memory_reservation_t *vm_reserve_anon_memory(vm_t *vm, size_t size, size_t align,
                                                memory_fault_callback_fn fault_callback, void *cookie, uintptr_t *addr)
{
    vm_memory_reservation_cookie_t *all = vm->mem.reservation_cookie;
    vm_memory_reservation_t *reservation = NULL;

    size = ROUND_UP(size, PAGE_SIZE_4K);
    align = MAX(align, PAGE_SIZE_4K);
    if (!fault_callback || !size || !IS_POWER_OF_2(align)) {
        ZF_LOGE("VM %s: cannot reserve %zu bytes of anonymous memory: bad argument", vm->vm_name, size);
        return NULL;
    }

    kvm_vmm_lock();
    for (size_t i = 0; i < all->num_anonymous && !reservation; i++) {
        struct kvm_anonymous *region = &all->anonymous[i];
        uintptr_t start = ROUND_UP(region->next, align);
        uintptr_t offset = start - region->start;

        if (offset > region->size || size > region->size - offset)
            continue;
        reservation = add(vm, start, size, fault_callback, cookie);
        if (!reservation)
            break;
        region->next = start + size;
        *addr = start;
    }
    kvm_vmm_unlock();
    if (!reservation)
        ZF_LOGE("VM %s: no room for %zu bytes of anonymous memory", vm->vm_name, size);
    return reservation;
}

/* --- mapping --- */

static void unmap(vm_t *vm, vm_memory_reservation_t *reservation)
{
    for (size_t i = 0; i < reservation->num_slots; i++)
        kvm_slot_unmap(vm, &reservation->slots[i]);
    free(reservation->slots);
    reservation->slots = NULL;
    reservation->num_slots = 0;
    reservation->mapped = false;
}

static int add_slot(vm_t *vm, vm_memory_reservation_t *reservation, struct kvm_slot *slot, int fd, off_t offset)
{
    struct kvm_slot *grown = kvm_grow(reservation->slots, reservation->num_slots + 1, sizeof(*grown));

    if (!grown) {
        ZF_LOGE("VM %s: no memory to map 0x%" PRIxPTR, vm->vm_name, slot->start);
        return -1;
    }
    reservation->slots = grown;
    if (kvm_slot_map(vm, slot, fd, offset))
        return -1;
    grown[reservation->num_slots++] = *slot;
    return 0;
}

/** Frames that follow each other in the guest and in one memfd, and have equal rights. They share a slot. */
struct run {
    struct kvm_slot slot; /**< size 0: none yet */
    int fd;
    off_t offset;
    bool readable;
};

/* Memory that the guest may not read gets no slot, so that all accesses fault. */
static int run_flush(vm_t *vm, vm_memory_reservation_t *reservation, struct run *run)
{
    if (!run->slot.size || !run->readable)
        return 0;
    return add_slot(vm, reservation, &run->slot, run->fd, run->offset);
}

static bool run_extend(struct run *run, const struct kvm_frame *frame, bool readable, bool writable)
{
    if (!run->slot.size || frame->fd != run->fd || frame->offset != run->offset + (off_t)run->slot.size ||
        readable != run->readable || writable != run->slot.writable)
        return false;
    run->slot.size += frame->size;
    return true;
}

static const char *frame_objection(const vm_memory_reservation_t *reservation, uintptr_t addr, const vm_frame_t *guest,
                                   struct kvm_frame *frame)
{
    if (guest->cptr == seL4_CapNull)
        return "no frame was given for it";
    if (!kvm_frame_find(guest->cptr, frame))
        return "the capability names no frame";
    if (frame->size != BIT(guest->size_bits))
        return "the frame has another size";
    if (guest->vaddr != addr || addr % frame->size)
        return "it is not aligned to the frame, or the frame is meant for another address";
    if (frame->size > reservation->size - (addr - reservation->addr))
        return "the frame goes beyond the reservation";
    return NULL;
}

static int map_frames(vm_t *vm, vm_memory_reservation_t *reservation, memory_map_iterator_fn iterator, void *cookie)
{
    uintptr_t addr = reservation->addr;
    struct run run = {0};

    for (size_t done = 0; done < reservation->size; addr = reservation->addr + done) {
        vm_frame_t guest = iterator(addr, cookie);
        struct kvm_frame frame;
        const char *objection = frame_objection(reservation, addr, &guest, &frame);
        bool readable = seL4_CapRights_get_capAllowRead(guest.rights);
        bool writable = readable && seL4_CapRights_get_capAllowWrite(guest.rights);

        if (objection) {
            ZF_LOGE("VM %s: cannot map a frame at 0x%" PRIxPTR ": %s", vm->vm_name, addr, objection);
            return -1;
        }
        done += frame.size;
        if (run_extend(&run, &frame, readable, writable))
            continue;
        if (run_flush(vm, reservation, &run))
            return -1;
        run = (struct run){
            .slot = {.start = addr, .size = frame.size, .writable = writable},
            .fd = frame.fd,
            .offset = frame.offset,
            .readable = readable,
        };
    }
    return run_flush(vm, reservation, &run);
}

int vm_map_reservation(vm_t *vm, vm_memory_reservation_t *reservation, memory_map_iterator_fn map_iterator,
                       void *cookie)
{
    int error = -1;

    if (!vm || !reservation || !map_iterator) {
        ZF_LOGE("cannot map a reservation: VM, reservation or iterator is missing");
        return -1;
    }
    kvm_vmm_lock();
    if (reservation->mapped) {
        ZF_LOGE("VM %s: the reservation at 0x%" PRIxPTR " is mapped already", vm->vm_name, reservation->addr);
    } else {
        error = map_frames(vm, reservation, map_iterator, cookie);
        if (error)
            unmap(vm, reservation);
        else
            reservation->mapped = true;
    }
    kvm_vmm_unlock();
    return error;
}

struct frame_array {
    uintptr_t start;
    const seL4_CPtr *frames;
    size_t num_frames;
    size_t frame_size_bits;
};

static vm_frame_t next_of_array(uintptr_t addr, void *cookie)
{
    const struct frame_array *array = cookie;
    size_t i = (addr - array->start) >> array->frame_size_bits;

    return (vm_frame_t){
        .cptr = i < array->num_frames ? array->frames[i] : seL4_CapNull,
        .rights = seL4_AllRights,
        .vaddr = addr,
        .size_bits = array->frame_size_bits,
    };
}

int vm_map_reservation_frames(vm_t *vm, vm_memory_reservation_t *reservation, seL4_CPtr *frames, size_t num_frames,
                              size_t frame_size_bits)
{
    struct frame_array array = {.frames = frames, .num_frames = num_frames, .frame_size_bits = frame_size_bits};

    if (!reservation || !frames || frame_size_bits >= 8 * sizeof(uintptr_t)) {
        ZF_LOGE("cannot map frames: bad argument");
        return -1;
    }
    array.start = reservation->addr;
    return vm_map_reservation(vm, reservation, next_of_array, &array);
}

int kvm_reservation_map_anonymous(vm_t *vm, vm_memory_reservation_t *reservation)
{
    struct kvm_slot slot = {.start = reservation->addr, .size = reservation->size, .writable = true};

    if (add_slot(vm, reservation, &slot, -1, 0))
        return -1;
    reservation->mapped = true;
    return 0;
}

int vm_free_reserved_memory(vm_t *vm, vm_memory_reservation_t *reservation)
{
    vm_memory_reservation_cookie_t *all = vm->mem.reservation_cookie;
    size_t i = 0;

    kvm_vmm_lock();
    while (i < all->num && all->reservations[i] != reservation)
        i++;
    if (i == all->num) {
        kvm_vmm_unlock();
        ZF_LOGE("VM %s: cannot free a reservation that is not there", vm->vm_name);
        return -1;
    }
    all->num--;
    memmove(&all->reservations[i], &all->reservations[i + 1], (all->num - i) * sizeof(*all->reservations));
    shrink(all);
    unmap(vm, reservation);
    if (reservation->frame) {
        kvm_frames_unmap(reservation->frame_memory, &reservation->frame, 1);
        kvm_frames_free(&reservation->frame, 1);
    }
    free(reservation);
    kvm_vmm_unlock();
    return 0;
}
