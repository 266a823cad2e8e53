/* SPDX-License-Identifier: BSD-2-Clause */
#include "fault.h"

#include <string.h>

#include <utils/util.h>

#include <sel4vm/guest_memory_helpers.h>
#include <sel4vm/guest_vcpu_fault.h>

#include <sel4vm_kvm.h>

#include "arch.h"
#include "reservation.h"
#include "vm.h"

#define ALL_ONES UINT64_MAX

/* --- for callbacks --- */

/* The position of an access of at most 32 bits in the aligned 32-bit word around it. */
static unsigned int shift_of(const struct kvm_fault *fault)
{
    return fault->length > sizeof(uint32_t) ? 0 : 8 * (fault->address & 3);
}

static uint64_t mask_of(const struct kvm_fault *fault)
{
    return MASK(8 * fault->length) << shift_of(fault);
}

seL4_Word get_vcpu_fault_address(vm_vcpu_t *vcpu)
{
    return kvm_vcpu_of(vcpu)->fault.address;
}

seL4_Word get_vcpu_fault_ip(vm_vcpu_t *vcpu)
{
    return kvm_arch_vcpu_instruction_pointer(vcpu);
}

seL4_Word get_vcpu_fault_data(vm_vcpu_t *vcpu)
{
    return kvm_vcpu_of(vcpu)->fault.data;
}

seL4_Word get_vcpu_fault_data_mask(vm_vcpu_t *vcpu)
{
    return mask_of(&kvm_vcpu_of(vcpu)->fault);
}

size_t get_vcpu_fault_size(vm_vcpu_t *vcpu)
{
    return kvm_vcpu_of(vcpu)->fault.length;
}

bool is_vcpu_read_fault(vm_vcpu_t *vcpu)
{
    return kvm_vcpu_of(vcpu)->fault.is_read;
}

int set_vcpu_fault_data(vm_vcpu_t *vcpu, seL4_Word data)
{
    kvm_vcpu_of(vcpu)->fault.data = data;
    return 0;
}

seL4_Word emulate_vcpu_fault(vm_vcpu_t *vcpu, seL4_Word data)
{
    const struct kvm_fault *fault = &kvm_vcpu_of(vcpu)->fault;
    uint64_t mask = mask_of(fault);
    unsigned int shift = shift_of(fault);

    if (fault->is_read)
        return (data & ~(mask >> shift)) | (fault->data & mask) >> shift;
    return (data & ~mask) | (fault->data << shift & mask);
}

void advance_vcpu_fault(vm_vcpu_t *vcpu)
{
    /* KVM completes the instruction when the vCPU runs again. */
    kvm_vcpu_of(vcpu)->fault.restart = false;
}

void restart_vcpu_fault(vm_vcpu_t *vcpu)
{
    kvm_vcpu_of(vcpu)->fault.restart = true;
}

memory_fault_result_t default_error_fault_callback(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t fault_addr, size_t fault_length,
                                                   void *cookie)
{
    (void)cookie;
    ZF_LOGE("VM %s: nothing answers a %s of %zu bytes at 0x%" PRIxPTR, vm->vm_name,
            is_vcpu_read_fault(vcpu) ? "load" : "store", fault_length, fault_addr);
    return FAULT_ERROR;
}

/* --- finding the handler --- */

/*
 * Makes the access again, on the memory that the callback mapped there. It is made here, since KVM has decoded the
 * instruction and waits for its data.
 */
static memory_fault_result_t access_again(vm_vcpu_t *vcpu)
{
    struct kvm_fault *fault = &kvm_vcpu_of(vcpu)->fault;
    const vm_memory_reservation_t *reservation = kvm_reservation_find(vcpu->vm, fault->address);
    const struct kvm_slot *slot = reservation ? kvm_reservation_slot(reservation, fault->address) : NULL;
    uint8_t *memory;

    if (!slot || fault->length > slot->size - (fault->address - slot->start) || (!fault->is_read && !slot->writable)) {
        ZF_LOGE("VM %s: an access to 0x%" PRIxPTR " is to be done again, but no memory takes it", vcpu->vm->vm_name,
                fault->address);
        return FAULT_ERROR;
    }
    memory = slot->memory + (fault->address - slot->start);
    if (fault->is_read) {
        fault->data = 0;
        memcpy(&fault->data, memory, fault->length);
        fault->data <<= shift_of(fault);
    } else {
        memcpy(memory, &fault->data, fault->length);
    }
    return FAULT_RESTART;
}

static memory_fault_result_t ask_reservation(vm_vcpu_t *vcpu)
{
    const struct kvm_fault *fault = &kvm_vcpu_of(vcpu)->fault;
    const vm_memory_reservation_t *reservation = kvm_reservation_find(vcpu->vm, fault->address);

    if (!reservation)
        return FAULT_UNHANDLED;
    /*
     * An access that crosses the end of a reservation is ignored and not logged. KVM on arm64 does not split such an
     * access, so any program of the guest that has mapped a device can make one.
     */
    if (fault->length > reservation->size - (fault->address - reservation->addr))
        return FAULT_IGNORE;
    return reservation->callback(vcpu->vm, vcpu, fault->address, fault->length, reservation->cookie);
}

static memory_fault_result_t ask_unhandled(vm_vcpu_t *vcpu)
{
    const struct kvm_fault *fault = &kvm_vcpu_of(vcpu)->fault;
    const struct vm_mem *mem = &vcpu->vm->mem;

    if (!mem->unhandled_mem_fault_handler)
        return FAULT_UNHANDLED;
    return mem->unhandled_mem_fault_handler(vcpu->vm, vcpu, fault->address, fault->length,
                                            mem->unhandled_mem_fault_cookie);
}

memory_fault_result_t kvm_fault_handle(vm_vcpu_t *vcpu, uintptr_t address, size_t length, bool is_read, uint8_t *bytes)
{
    struct kvm_fault *fault = &kvm_vcpu_of(vcpu)->fault;
    memory_fault_result_t result;

    kvm_vmm_lock();
    *fault = (struct kvm_fault){.address = address, .length = length, .is_read = is_read};
    if (!is_read)
        memcpy(&fault->data, bytes, length);

    result = ask_reservation(vcpu);
    if (result == FAULT_UNHANDLED)
        result = ask_unhandled(vcpu);
    if (result == FAULT_RESTART || (result == FAULT_HANDLED && fault->restart))
        result = access_again(vcpu);
    if (is_read) {
        uint64_t loaded = fault->data >> shift_of(fault);

        /* As on a bus where no device answers. */
        if (result == FAULT_UNHANDLED || result == FAULT_IGNORE)
            loaded = ALL_ONES;
        memcpy(bytes, &loaded, length);
    }
    if (result == FAULT_ERROR)
        ZF_LOGE("VM %s: cannot go on after a %s of %zu bytes at 0x%" PRIxPTR, vcpu->vm->vm_name,
                is_read ? "load" : "store", length, address);
    kvm_vmm_unlock();
    return result;
}
