/* SPDX-License-Identifier: BSD-2-Clause */
/* The register by which a guest ends its VM with a status. */
#pragma once

#include <sel4vm/guest_vm.h>

/** Shows the register to the guest. Returns 0, or -1 after a line in the log. */
int kvm_power_attach(vm_t *vm);
