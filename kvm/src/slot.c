/* SPDX-License-Identifier: BSD-2-Clause */
#include "slot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/kvm.h>

#include <utils/util.h>

#include "../../src/common/error_reason.h"
#include "resource.h"
#include "vm.h"

#define BITS_PER_WORD 64

int kvm_slots_init(struct kvm_slots *slots, uint32_t limit)
{
    *slots = (struct kvm_slots){.limit = limit};
    slots->bitmap = kvm_alloc(DIV_ROUND_UP(limit, BITS_PER_WORD), sizeof(*slots->bitmap));
    return slots->bitmap ? 0 : -ENOMEM;
}

void kvm_slots_destroy(struct kvm_slots *slots)
{
    free(slots->bitmap);
    slots->bitmap = NULL;
}

static int slots_take(struct kvm_slots *slots, uint32_t *id)
{
    for (uint32_t i = 0; i < slots->limit; i++) {
        uint64_t *word = &slots->bitmap[i / BITS_PER_WORD];
        uint64_t bit = 1ull << i % BITS_PER_WORD;

        if (*word & bit)
            continue;
        *word |= bit;
        slots->used++;
        *id = i;
        return 0;
    }
    return -ENOSPC;
}

static void slots_give_back(struct kvm_slots *slots, uint32_t id)
{
    slots->bitmap[id / BITS_PER_WORD] &= ~(1ull << id % BITS_PER_WORD);
    slots->used--;
}

static int slot_tell_kvm(vm_t *vm, const struct kvm_slot *slot, size_t size)
{
    struct kvm_userspace_memory_region region = {
        .slot = slot->id,
        .flags = slot->writable ? 0 : KVM_MEM_READONLY,
        .guest_phys_addr = slot->start,
        .memory_size = size,
        .userspace_addr = (uintptr_t)slot->memory,
    };

    if (kvm_vm_is_hollow(vm))
        return 0;
    return ioctl(kvm_vm_of(vm)->fd, KVM_SET_USER_MEMORY_REGION, &region) ? -errno : 0;
}

/* Aligns the memory to 2 MiB as the guest physical addresses are, so that Linux can use huge pages for both. */
static uint8_t *map_anonymous(uintptr_t start, size_t size)
{
    size_t slack = size >= PAGE_SIZE_2M ? PAGE_SIZE_2M : 0;
    uint8_t *mapping, *memory;

    mapping = kvm_map(size + slack, PROT_READ | PROT_WRITE, -1, 0);
    if (!mapping || !slack)
        return mapping;
    memory = mapping + (start - (uintptr_t)mapping) % PAGE_SIZE_2M;
    if (memory != mapping)
        munmap(mapping, (size_t)(memory - mapping));
    munmap(memory + size, slack - (size_t)(memory - mapping));
    madvise(memory, size, MADV_HUGEPAGE); /* may fail without harm */
    return memory;
}

int kvm_slot_map(vm_t *vm, struct kvm_slot *slot, int fd, off_t offset)
{
    int error = slots_take(&kvm_vm_of(vm)->slots, &slot->id);

    if (error)
        goto fail;
    /* Memory that is read-only for the guest is mapped read-only, so that a memfd that is open for reading only will
     * do. */
    slot->memory = fd < 0 ? map_anonymous(slot->start, slot->size)
                          : kvm_map(slot->size, PROT_READ | (slot->writable ? PROT_WRITE : 0), fd, offset);
    if (!slot->memory) {
        error = -errno;
        goto fail_id;
    }
    error = slot_tell_kvm(vm, slot, slot->size);
    if (error)
        goto fail_map;
    return 0;

fail_map:
    munmap(slot->memory, slot->size);
fail_id:
    slots_give_back(&kvm_vm_of(vm)->slots, slot->id);
fail:
    ZF_LOGE("VM %s: cannot back %zu bytes of guest memory at 0x%" PRIxPTR ": %s", vm->vm_name, slot->size, slot->start,
            error_reason(-error));
    return -1;
}

void kvm_slot_unmap(vm_t *vm, struct kvm_slot *slot)
{
    int error = slot_tell_kvm(vm, slot, 0);

    if (error)
        ZF_LOGE("VM %s: cannot take %zu bytes of guest memory at 0x%" PRIxPTR " away: %s", vm->vm_name, slot->size,
                slot->start, error_reason(-error));
    munmap(slot->memory, slot->size);
    slots_give_back(&kvm_vm_of(vm)->slots, slot->id);
}
