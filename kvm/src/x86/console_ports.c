/* SPDX-License-Identifier: BSD-2-Clause */
/* The console as the first serial port of a PC. */
#include <sel4vm/arch/ioports.h>
#include <utils/util.h>

#include "../arch.h"
#include "../uart.h"

#define CONSOLE_PORT 0x3f8

/* A wide access reaches neighbouring registers, as on the ISA bus. */
static ioport_fault_result_t in(vm_vcpu_t *vcpu, void *cookie, unsigned int port_no, unsigned int size,
                                unsigned int *result)
{
    (void)vcpu;
    *result = 0;
    for (unsigned int i = 0; i < size; i++)
        *result |= (unsigned int)kvm_uart_load(cookie, port_no - CONSOLE_PORT + i) << 8 * i;
    return IO_FAULT_HANDLED;
}

static ioport_fault_result_t out(vm_vcpu_t *vcpu, void *cookie, unsigned int port_no, unsigned int size,
                                 unsigned int value)
{
    (void)vcpu;
    for (unsigned int i = 0; i < size; i++)
        kvm_uart_store(cookie, port_no - CONSOLE_PORT + i, (uint8_t)(value >> 8 * i));
    return IO_FAULT_HANDLED;
}

int kvm_arch_console_attach(vm_t *vm, struct kvm_uart *uart)
{
    vm_ioport_range_t range = {.start = CONSOLE_PORT, .end = CONSOLE_PORT + KVM_UART_REGISTERS - 1};
    vm_ioport_interface_t interface = {.cookie = uart, .port_in = in, .port_out = out, .desc = "the console"};

    return vm_io_port_add_handler(vm, range, interface);
}
