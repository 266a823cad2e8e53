/* SPDX-License-Identifier: BSD-2-Clause */
/* The ports by which a guest ends itself. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

/* Power-off, in the way of ACPI without fixed hardware (ACPI 6.4, section 4.8.3.7). */
#define POWER_SLEEP_CONTROL_PORT 0x600
#define POWER_SLEEP_STATUS_PORT 0x601
#define POWER_SLEEP_TYPE_OFF 5

/* Reset. */
#define POWER_RESET_PORT 0xcf9
#define POWER_RESET_VALUE 0x06

/** Carries an access out if the port is one of these. */
bool kvm_power_port(vm_t *vm, uint16_t port, unsigned int size, bool is_in, uint32_t *value);
