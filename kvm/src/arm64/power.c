/* SPDX-License-Identifier: BSD-2-Clause */
#include "power.h"

#include <utils/util.h>

#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_vcpu_fault.h>
#include <sel4vm_kvm.h>

static memory_fault_result_t access(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t addr, size_t size, void *cookie)
{
    (void)size;
    (void)cookie;
    if (is_vcpu_read_fault(vcpu))
        set_vcpu_fault_data(vcpu, 0);
    else if (addr == KVM_EXIT_REGISTER)
        kvm_vm_stop(vm, (uint8_t)get_vcpu_fault_data(vcpu));
    advance_vcpu_fault(vcpu);
    return FAULT_HANDLED;
}

int kvm_power_attach(vm_t *vm)
{
    return vm_reserve_memory_at(vm, KVM_EXIT_REGISTER, PAGE_SIZE_4K, access, NULL) ? 0 : -1;
}
