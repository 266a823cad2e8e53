/* SPDX-License-Identifier: BSD-2-Clause */
/* Accesses that tests make in the guest's place. */
#include <string.h>

#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#include "doorbell.h"
#include "fault.h"
#include "vm.h"

memory_fault_result_t kvm_test_fault(vm_vcpu_t *vcpu, uintptr_t addr, size_t len, bool is_read, uint64_t data,
                                     uint64_t *read_value)
{
    memory_fault_result_t result;
    uint8_t bytes[sizeof(data)];

    if (len > sizeof(data))
        return FAULT_ERROR;
    if (!is_read && kvm_vm_is_hollow(vcpu->vm) && kvm_doorbell_signal(vcpu->vm, addr))
        return FAULT_HANDLED;
    memcpy(bytes, &data, sizeof(bytes));
    result = kvm_fault_handle(vcpu, addr, len, is_read, bytes);
    if (is_read && read_value) {
        *read_value = 0;
        memcpy(read_value, bytes, len);
    }
    return result;
}
