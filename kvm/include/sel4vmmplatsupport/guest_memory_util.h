/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_vm.h>

/**
 * Reserves a page of guest physical memory, and maps a new frame there and, for reading and writing, into this process.
 *
 * @param addr   guest physical address
 * @param rights of the guest
 * @return the page's address in this process, valid until the VM is destroyed; NULL on failure, which changes nothing
 */
void *create_allocated_reservation_frame(vm_t *vm, uintptr_t addr, seL4_CapRights_t rights,
                                         memory_fault_callback_fn alloc_fault_callback, void *alloc_fault_cookie);

/** Maps new frames into all of a reservation. Returns 0 or -1. */
int map_frame_alloc_reservation(vm_t *vm, vm_memory_reservation_t *reservation);
