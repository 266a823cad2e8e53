/* SPDX-License-Identifier: BSD-2-Clause */
/* The ports by which a guest ends its VM: power-off, reset, and an exit with a status. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

/* Power-off, as ACPI without fixed hardware does it (ACPI 6.4, section 4.8.3.7). */
#define POWER_SLEEP_CONTROL_PORT 0x600
#define POWER_SLEEP_STATUS_PORT 0x601
#define POWER_SLEEP_TYPE_OFF 5

/* Reset. */
#define POWER_RESET_PORT 0xcf9
#define POWER_RESET_VALUE 0x06

/** Carries out an access to one of these ports. False: the port is another. */
bool kvm_power_port(vm_t *vm, uint16_t port, unsigned int size, bool is_in, uint32_t *value);
