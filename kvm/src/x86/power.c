/* SPDX-License-Identifier: BSD-2-Clause */
#include "power.h"

#include <sel4vm_kvm.h>

#define SLEEP_ENABLE 0x20
#define SLEEP_TYPE(value) ((value) >> 2 & 0x7)

/* PIIX reset control: setting this bit resets, whatever the other bits are. */
#define RESET_CPU 0x04

#define KEYBOARD_COMMAND_PORT 0x64
#define KEYBOARD_PULSE_RESET 0xfe

static bool store(vm_t *vm, uint16_t port, uint8_t value)
{
    switch (port) {
    case KVM_EXIT_PORT:
        kvm_vm_stop(vm, value);
        return true;
    case POWER_SLEEP_CONTROL_PORT:
        if (value & SLEEP_ENABLE && SLEEP_TYPE(value) == POWER_SLEEP_TYPE_OFF)
            kvm_vm_stop(vm, KVM_VM_POWERED_OFF);
        return true;
    case POWER_SLEEP_STATUS_PORT:
        return true;
    case POWER_RESET_PORT:
        if (value & RESET_CPU)
            kvm_vm_stop(vm, KVM_VM_RESET);
        return true;
    case KEYBOARD_COMMAND_PORT:
        if (value == KEYBOARD_PULSE_RESET)
            kvm_vm_stop(vm, KVM_VM_RESET);
        return value == KEYBOARD_PULSE_RESET;
    default:
        return false;
    }
}

static bool load(uint16_t port, uint32_t *value)
{
    switch (port) {
    case POWER_SLEEP_CONTROL_PORT:
    case POWER_SLEEP_STATUS_PORT:
    case KEYBOARD_COMMAND_PORT: /* 0: ready for a command, for which guests wait before they send the one to reset */
        *value = 0;
        return true;
    default:
        return false;
    }
}

/* Takes bytes only: POWER_RESET_PORT is inside PCI's address port, which takes 32 bits only. */
bool kvm_power_port(vm_t *vm, uint16_t port, unsigned int size, bool is_in, uint32_t *value)
{
    if (size != 1)
        return false;
    return is_in ? load(port, value) : store(vm, port, (uint8_t)*value);
}
