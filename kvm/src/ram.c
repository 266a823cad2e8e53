/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's RAM: sel4vm/guest_ram.h. */
#include "ram.h"

#include <stdlib.h>
#include <string.h>

#include <utils/util.h>

#include <sel4vm/guest_ram.h>

#include <sel4vm_kvm.h>

#include "arch.h"
#include "reservation.h"
#include "resource.h"

/* --- the list of regions --- */

/* Makes room for three more regions, the most that a change adds, so that a change cannot fail half-way. */
static int regions_reserve(vm_mem_t *mem)
{
    vm_ram_region_t *grown = kvm_grow(mem->ram_regions, (size_t)mem->num_ram_regions + 3, sizeof(*grown));

    if (!grown)
        return -1;
    mem->ram_regions = grown;
    return 0;
}

static int by_start(const void *a, const void *b)
{
    const vm_ram_region_t *one = a, *other = b;

    return one->start < other->start ? -1 : one->start > other->start;
}

static void regions_add(vm_mem_t *mem, uintptr_t start, size_t size, int allocated)
{
    if (size)
        mem->ram_regions[mem->num_ram_regions++] =
            (vm_ram_region_t){.start = start, .size = size, .allocated = allocated};
}

/* Sorts regions and merges neighbours. */
static void regions_settle(vm_mem_t *mem)
{
    vm_ram_region_t *regions = mem->ram_regions;
    int kept = 0;

    qsort(regions, (size_t)mem->num_ram_regions, sizeof(*regions), by_start);
    for (int i = 1; i < mem->num_ram_regions; i++) {
        vm_ram_region_t *last = &regions[kept];

        if (last->start + last->size == regions[i].start && last->allocated == regions[i].allocated)
            last->size += regions[i].size;
        else
            regions[++kept] = regions[i];
    }
    mem->num_ram_regions = kept + 1;
}

static vm_ram_region_t *region_holding(vm_mem_t *mem, uintptr_t start, size_t size)
{
    for (int i = 0; i < mem->num_ram_regions; i++) {
        vm_ram_region_t *region = &mem->ram_regions[i];

        if (start >= region->start && start - region->start <= region->size &&
            size <= region->size - (start - region->start))
            return region;
    }
    return NULL;
}

/* Marks a part of a region as allocated or free. False: there is no such part in the other state. */
static bool set_allocated(vm_t *vm, uintptr_t start, size_t size, int allocated)
{
    vm_mem_t *mem = &vm->mem;
    vm_ram_region_t *region, whole;

    if (!size || !region_holding(mem, start, size) || regions_reserve(mem))
        return false;
    region = region_holding(mem, start, size);
    if (region->allocated == allocated)
        return false;
    whole = *region;
    *region = (vm_ram_region_t){.start = start, .size = size, .allocated = allocated};
    regions_add(mem, whole.start, start - whole.start, whole.allocated);
    regions_add(mem, start + size, whole.start + whole.size - (start + size), whole.allocated);
    regions_settle(mem);
    return true;
}

/* --- registering --- */

static memory_fault_result_t ram_fault(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t addr, size_t size, void *cookie)
{
    (void)vcpu;
    (void)cookie;
    ZF_LOGE("VM %s: RAM at 0x%" PRIxPTR " did not take an access of %zu bytes", vm->vm_name, addr, size);
    return FAULT_ERROR;
}

static int register_reservation(vm_t *vm, vm_memory_reservation_t *reservation, memory_map_iterator_fn iterator,
                                void *cookie)
{
    const char *objection = kvm_arch_ram_objection(reservation->addr, reservation->size);
    int error = -1;

    if (objection)
        ZF_LOGE("VM %s: %zu bytes at 0x%" PRIxPTR " cannot be RAM: %s", vm->vm_name, reservation->size,
                reservation->addr, objection);
    else if (regions_reserve(&vm->mem))
        ZF_LOGE("VM %s: no memory to register RAM", vm->vm_name);
    else
        error = iterator ? vm_map_reservation(vm, reservation, iterator, cookie)
                         : kvm_reservation_map_anonymous(vm, reservation);
    if (error) {
        vm_free_reserved_memory(vm, reservation);
        return -1;
    }
    regions_add(&vm->mem, reservation->addr, reservation->size, 0);
    regions_settle(&vm->mem);
    return 0;
}

int vm_ram_register_at_custom_iterator(vm_t *vm, uintptr_t start, size_t bytes, memory_map_iterator_fn map_iterator,
                                       void *cookie)
{
    vm_memory_reservation_t *reservation;
    int error = -1;

    kvm_vmm_lock();
    reservation = vm_reserve_memory_at(vm, start, bytes, ram_fault, NULL);
    if (reservation)
        error = register_reservation(vm, reservation, map_iterator, cookie);
    kvm_vmm_unlock();
    return error;
}

int vm_ram_register_at(vm_t *vm, uintptr_t start, size_t bytes, bool untyped)
{
    (void)untyped;
    return vm_ram_register_at_custom_iterator(vm, start, bytes, NULL, NULL);
}

uintptr_t vm_ram_register(vm_t *vm, size_t bytes)
{
    vm_memory_reservation_t *reservation;
    uintptr_t start = 0;

    kvm_vmm_lock();
    reservation = vm_reserve_anon_memory(vm, bytes, PAGE_SIZE_4K, ram_fault, NULL, &start);
    if (!reservation || register_reservation(vm, reservation, NULL, NULL))
        start = 0;
    kvm_vmm_unlock();
    return start;
}

/* --- touching --- */

void *kvm_ram_pointer(const vm_t *vm, uintptr_t addr, size_t size)
{
    const vm_memory_reservation_t *reservation = kvm_reservation_find(vm, addr);
    const struct kvm_slot *slot;

    if (!reservation || reservation->callback != ram_fault)
        return NULL;
    slot = kvm_reservation_slot(reservation, addr);
    if (!slot || size > slot->size - (addr - slot->start))
        return NULL;
    return slot->memory + (addr - slot->start);
}

int vm_guest_ram_read_callback(vm_t *vm, uintptr_t guest_addr, void *vaddr, size_t size, size_t offset, void *buf)
{
    (void)vm;
    (void)guest_addr;
    (void)offset;
    memcpy(buf, vaddr, size);
    return 0;
}

int vm_guest_ram_write_callback(vm_t *vm, uintptr_t guest_addr, void *vaddr, size_t size, size_t offset, void *buf)
{
    (void)vm;
    (void)guest_addr;
    (void)offset;
    memcpy(vaddr, buf, size);
    return 0;
}

static int look_only(vm_t *vm, uintptr_t addr, void *memory, size_t size, size_t offset, void *cookie)
{
    (void)vm;
    (void)addr;
    (void)memory;
    (void)size;
    (void)offset;
    (void)cookie;
    return 0;
}

static int touch(vm_t *vm, uintptr_t addr, size_t size, ram_touch_callback_fn touch_callback, void *cookie)
{
    int result = 0;

    for (size_t offset = 0; offset < size && !result;) {
        uintptr_t piece = addr + offset;
        size_t length = MIN(size - offset, PAGE_SIZE_4K - piece % PAGE_SIZE_4K);
        void *memory = kvm_ram_pointer(vm, piece, length);

        result = memory ? touch_callback(vm, piece, memory, length, offset, cookie) : -1;
        offset += length;
    }
    return result;
}

int vm_ram_touch(vm_t *vm, uintptr_t addr, size_t size, ram_touch_callback_fn touch_callback, void *cookie)
{
    int result;

    kvm_vmm_lock();
    result = touch(vm, addr, size, look_only, NULL);
    if (result)
        ZF_LOGE("VM %s: %zu bytes at 0x%" PRIxPTR " are not RAM", vm->vm_name, size, addr);
    else
        result = touch(vm, addr, size, touch_callback, cookie);
    kvm_vmm_unlock();
    return result;
}

/* --- allocating --- */

int vm_ram_find_largest_free_region(vm_t *vm, uintptr_t *addr, size_t *size)
{
    const vm_ram_region_t *largest = NULL;

    kvm_vmm_lock();
    for (int i = 0; i < vm->mem.num_ram_regions; i++) {
        const vm_ram_region_t *region = &vm->mem.ram_regions[i];

        if (!region->allocated && (!largest || region->size > largest->size))
            largest = region;
    }
    if (largest) {
        *addr = largest->start;
        *size = largest->size;
    }
    kvm_vmm_unlock();
    return largest ? 0 : -1;
}

void vm_ram_mark_allocated(vm_t *vm, uintptr_t start, size_t bytes)
{
    kvm_vmm_lock();
    set_allocated(vm, start, bytes, 1);
    kvm_vmm_unlock();
}

uintptr_t vm_ram_allocate(vm_t *vm, size_t bytes)
{
    uintptr_t found = 0;

    kvm_vmm_lock();
    for (int i = 0; i < vm->mem.num_ram_regions && !found; i++) {
        const vm_ram_region_t *region = &vm->mem.ram_regions[i];
        size_t skip = region->start ? 0 : PAGE_SIZE_4K; /* since address 0 means that there is none */

        if (region->allocated || region->size < skip || region->size - skip < bytes)
            continue;
        found = region->start + skip;
        if (!set_allocated(vm, found, bytes, 1))
            found = 0;
        break;
    }
    kvm_vmm_unlock();
    if (!found)
        ZF_LOGE("VM %s: no %zu bytes of RAM are free", vm->vm_name, bytes);
    return found;
}

void vm_ram_free(vm_t *vm, uintptr_t start, size_t bytes)
{
    kvm_vmm_lock();
    set_allocated(vm, start, bytes, 0);
    kvm_vmm_unlock();
}
