/* SPDX-License-Identifier: BSD-2-Clause */
/* Reservations of guest physical memory: sel4vm/guest_memory.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_vm.h>

#include "slot.h"

struct vm_memory_reservation {
    uintptr_t addr;
    size_t size;
    memory_fault_callback_fn callback;
    void *cookie;

    struct kvm_slot *slots; /**< in ascending order */
    size_t num_slots;
    bool mapped;

    /** The frame of create_allocated_reservation_frame(), and its mapping in this process; seL4_CapNull: none. */
    seL4_CPtr frame;
    void *frame_memory;
};

/** Addresses of vm_memory_make_anon(), which are given out from start to end. */
struct kvm_anonymous {
    uintptr_t start;
    size_t size;
    uintptr_t next;
};

/** All reservations of a VM. */
struct vm_memory_reservation_cookie {
    vm_memory_reservation_t **reservations; /**< in ascending order; they do not overlap */
    size_t num;
    struct kvm_anonymous *anonymous;
    size_t num_anonymous;
};

/** Initialises a VM's reservations. Returns 0 or a negative errno value. */
int kvm_reservations_init(vm_t *vm);

/** Frees all reservations of a VM. */
void kvm_reservations_destroy(vm_t *vm);

/** The reservation that holds an address, or NULL. */
vm_memory_reservation_t *kvm_reservation_find(const vm_t *vm, uintptr_t addr);

/** The slot of a reservation that holds an address, or NULL. */
struct kvm_slot *kvm_reservation_slot(const vm_memory_reservation_t *reservation, uintptr_t addr);

/** Maps new anonymous memory into all of a reservation, for RAM. Returns 0 or -1. */
int kvm_reservation_map_anonymous(vm_t *vm, vm_memory_reservation_t *reservation);
