/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's RAM. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

/** Gets a piece of RAM of at most a page: its guest physical address, where this process has it, its size, and its
 * offset from where vm_ram_touch() began. A result other than 0 ends the touch. */
typedef int (*ram_touch_callback_fn)(vm_t *vm, uintptr_t guest_addr, void *vmm_vaddr, size_t size, size_t offset,
                                     void *cookie);

/** For vm_ram_touch(): copy the piece to, or from, buf (its cookie), without adding the offset. */
int vm_guest_ram_read_callback(vm_t *vm, uintptr_t guest_addr, void *vaddr, size_t size, size_t offset, void *buf);
int vm_guest_ram_write_callback(vm_t *vm, uintptr_t guest_addr, void *vaddr, size_t size, size_t offset, void *buf);

/** Calls touch_callback for each page of a range of RAM. Returns 0, its result, or -1 when the range is not RAM. */
int vm_ram_touch(vm_t *vm, uintptr_t addr, size_t size, ram_touch_callback_fn touch_callback, void *cookie);

/** The largest piece of RAM that is not allocated. Returns 0, or -1 when there is none. */
int vm_ram_find_largest_free_region(vm_t *vm, uintptr_t *addr, size_t *size);

/** Gives the guest RAM in anonymous memory (vm_memory_make_anon()). Returns its address, or 0 on failure. */
uintptr_t vm_ram_register(vm_t *vm, size_t bytes);

/** Gives the guest RAM at an address; untyped has no meaning here. Returns 0 or -1. */
int vm_ram_register_at(vm_t *vm, uintptr_t start, size_t bytes, bool untyped);

/** The same, with frames that the caller gives. */
int vm_ram_register_at_custom_iterator(vm_t *vm, uintptr_t start, size_t bytes, memory_map_iterator_fn map_iterator,
                                       void *cookie);

/** Notes that RAM is taken; vm_ram_allocate() does not give it out. */
void vm_ram_mark_allocated(vm_t *vm, uintptr_t start, size_t bytes);

/** Takes RAM. Returns its address, or 0 when there is none. */
uintptr_t vm_ram_allocate(vm_t *vm, size_t bytes);

/** Gives RAM back that was taken. */
void vm_ram_free(vm_t *vm, uintptr_t start, size_t bytes);
