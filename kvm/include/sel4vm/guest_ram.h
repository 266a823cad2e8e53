/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's RAM. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

/** Gets a piece of RAM of at most a page: its guest physical address, its address in this process, its size, and its
 * offset from the start of vm_ram_touch(). A result other than 0 ends vm_ram_touch(). */
typedef int (*ram_touch_callback_fn)(vm_t *vm, uintptr_t guest_addr, void *vmm_vaddr, size_t size, size_t offset,
                                     void *cookie);

/* Callbacks for vm_ram_touch() that copy each piece to or from its cookie, without adding the offset. Return 0. */
int vm_guest_ram_read_callback(vm_t *vm, uintptr_t guest_addr, void *vaddr, size_t size, size_t offset, void *buf);
int vm_guest_ram_write_callback(vm_t *vm, uintptr_t guest_addr, void *vaddr, size_t size, size_t offset, void *buf);

/** Calls touch_callback for each page of a range of RAM. Returns 0, the callback's result, or -1 if the range is not
 * RAM.
 */
int vm_ram_touch(vm_t *vm, uintptr_t addr, size_t size, ram_touch_callback_fn touch_callback, void *cookie);

/** Finds the largest piece of RAM that is not allocated. Returns 0, or -1 if there is none. */
int vm_ram_find_largest_free_region(vm_t *vm, uintptr_t *addr, size_t *size);

/** Gives the guest RAM at an address of vm_memory_make_anon(). Returns the address, or 0 on failure. */
uintptr_t vm_ram_register(vm_t *vm, size_t bytes);

/** Gives the guest RAM at an address. `untyped` has no effect here. Returns 0 or -1. */
int vm_ram_register_at(vm_t *vm, uintptr_t start, size_t bytes, bool untyped);

/** Gives the guest RAM at an address, backed by the caller's frames. Returns 0 or -1. */
int vm_ram_register_at_custom_iterator(vm_t *vm, uintptr_t start, size_t bytes, memory_map_iterator_fn map_iterator,
                                       void *cookie);

/** Marks RAM as taken, so that vm_ram_allocate() does not return it. */
void vm_ram_mark_allocated(vm_t *vm, uintptr_t start, size_t bytes);

/** Allocates RAM. Returns its address, or 0 if there is none. */
uintptr_t vm_ram_allocate(vm_t *vm, size_t bytes);

/** Frees RAM that vm_ram_allocate() or vm_ram_mark_allocated() took. */
void vm_ram_free(vm_t *vm, uintptr_t start, size_t bytes);
