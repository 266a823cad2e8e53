/* SPDX-License-Identifier: BSD-2-Clause */
/* I/O ports: sel4vm/arch/ioports.h. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

/** Carries out an access of 1, 2 or 4 bytes. Takes the VMM's lock. */
void kvm_port_access(vm_vcpu_t *vcpu, uint16_t port, unsigned int size, bool is_in, uint32_t *value);
