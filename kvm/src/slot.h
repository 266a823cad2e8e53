/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory slots: ranges of guest physical memory, backed by memory of this process. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <sel4vm/guest_vm.h>

struct kvm_slot {
    uintptr_t start; /**< guest physical */
    size_t size;
    uint8_t *memory; /**< this process's mapping; the slot's own */
    bool writable;   /**< by the guest; otherwise its stores fault */
    uint32_t id;     /**< KVM's number of the slot */
};

/** Which numbers of slots a VM uses. */
struct kvm_slots {
    uint64_t *bitmap; /**< set: in use */
    uint32_t limit;
    uint32_t used;
};

/** Initialises a VM's numbers of slots, from 0 to limit - 1. Returns 0 or a negative errno value. */
int kvm_slots_init(struct kvm_slots *slots, uint32_t limit);

/** Frees them. */
void kvm_slots_destroy(struct kvm_slots *slots);

/**
 * Backs guest physical memory.
 *
 * @param slot with start, size and writable filled in; the rest is filled in here
 * @param fd   of the memory, from offset on; -1 for new anonymous memory
 * @return 0, or -1 after a line in the log
 */
int kvm_slot_map(vm_t *vm, struct kvm_slot *slot, int fd, off_t offset);

/** Undoes kvm_slot_map(). */
void kvm_slot_unmap(vm_t *vm, struct kvm_slot *slot);
