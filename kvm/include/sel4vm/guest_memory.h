/* SPDX-License-Identifier: BSD-2-Clause */
/* Reservations of guest physical memory, the frames mapped into them, and their fault handlers. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <sel4/sel4.h>

#include <sel4vm/arch/guest_memory_arch.h>

typedef struct vm vm_t;
typedef struct vm_vcpu vm_vcpu_t;

/** A frame, and how it is mapped for the guest. */
typedef struct vm_frame {
    seL4_CPtr cptr; /**< seL4_CapNull: there is none, and the mapping fails */
    seL4_CapRights_t rights;
    uintptr_t vaddr; /**< guest physical address, aligned to the frame */
    size_t size_bits;
} vm_frame_t;

typedef enum memory_fault_result {
    FAULT_HANDLED,
    FAULT_UNHANDLED, /**< go on as if no reservation had claimed the address */
    FAULT_RESTART,   /**< memory is mapped there now: make the access again */
    FAULT_IGNORE,    /**< go on; a load gives all ones */
    FAULT_ERROR      /**< the VM ends as crashed */
} memory_fault_result_t;

/** Handles a load or store of fault_length bytes that no memory took. guest_vcpu_fault.h has the calls for it. */
typedef memory_fault_result_t (*memory_fault_callback_fn)(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t fault_addr,
                                                          size_t fault_length, void *cookie);

/** Returns the frame for a guest physical address. */
typedef vm_frame_t (*memory_map_iterator_fn)(uintptr_t addr, void *cookie);

typedef struct vm_memory_reservation vm_memory_reservation_t;
typedef struct vm_memory_reservation_cookie vm_memory_reservation_cookie_t;

/**
 * Reserves guest physical memory.
 *
 * @param addr           of the first byte, a multiple of 4 KiB
 * @param size           bytes, a multiple of 4 KiB
 * @param fault_callback handles accesses that no frame mapped there takes
 * @return the reservation; NULL if an argument is bad, the range overlaps another, or there is no memory
 */
vm_memory_reservation_t *vm_reserve_memory_at(vm_t *vm, uintptr_t addr, size_t size,
                                              memory_fault_callback_fn fault_callback, void *cookie);

/** Reserves memory in the first region of vm_memory_make_anon() that has room. *addr receives the address. */
vm_memory_reservation_t *vm_reserve_anon_memory(vm_t *vm, size_t size, size_t align,
                                                memory_fault_callback_fn fault_callback, void *cookie, uintptr_t *addr);

/** Sets guest physical addresses aside for vm_reserve_anon_memory(). Returns 0 or -1. */
int vm_memory_make_anon(vm_t *vm, uintptr_t addr, size_t size);

/** Unmaps a reservation and frees it. Returns 0, or -1 if the VM has no such reservation. */
int vm_free_reserved_memory(vm_t *vm, vm_memory_reservation_t *reservation);

/**
 * Maps frames into all of a reservation. Stores to a frame without the right to write go to the fault callback, as do
 * all accesses to a frame without the right to read. On failure nothing stays mapped.
 *
 * @return 0; -1 if the iterator returns no frame or one that does not fit, if the reservation is mapped already, or if
 *         KVM or Linux refuse
 */
int vm_map_reservation(vm_t *vm, vm_memory_reservation_t *reservation, memory_map_iterator_fn map_iterator,
                       void *cookie);

/** Maps an array of frames of one size, with all rights, as vm_map_reservation() does. */
int vm_map_reservation_frames(vm_t *vm, vm_memory_reservation_t *reservation, seL4_CPtr *frames, size_t num_frames,
                              size_t frame_size_bits);

/** Fills in where a reservation is. */
void vm_get_reservation_memory_region(vm_memory_reservation_t *reservation, uintptr_t *addr, size_t *size);
