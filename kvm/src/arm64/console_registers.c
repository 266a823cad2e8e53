/* SPDX-License-Identifier: BSD-2-Clause */
/* The console's registers in memory, one byte each. */
#include <utils/util.h>

#include <sel4vm/guest_memory.h>
#include <sel4vm/guest_vcpu_fault.h>

#include "../arch.h"
#include "../uart.h"
#include "layout.h"

/* A wide access reaches neighbouring registers. Beyond the last one there is nothing. */
static memory_fault_result_t access(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t addr, size_t size, void *cookie)
{
    struct kvm_uart *uart = cookie;
    uintptr_t first = addr - LAYOUT_CONSOLE;
    bool is_read = is_vcpu_read_fault(vcpu);
    uint64_t data = is_read ? 0 : get_vcpu_fault_data(vcpu);

    (void)vm;
    for (size_t i = 0; i < size && first + i < KVM_UART_REGISTERS; i++) {
        if (is_read)
            data |= (uint64_t)kvm_uart_load(uart, (unsigned int)(first + i)) << 8 * i;
        else
            kvm_uart_store(uart, (unsigned int)(first + i), (uint8_t)(data >> 8 * i));
    }
    if (is_read)
        set_vcpu_fault_data(vcpu, size > sizeof(uint32_t) ? data : data << 8 * (addr & 3));
    advance_vcpu_fault(vcpu);
    return FAULT_HANDLED;
}

int kvm_arch_console_attach(vm_t *vm, struct kvm_uart *uart)
{
    return vm_reserve_memory_at(vm, LAYOUT_CONSOLE, LAYOUT_CONSOLE_SIZE, access, uart) ? 0 : -1;
}
