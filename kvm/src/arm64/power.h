/* SPDX-License-Identifier: BSD-2-Clause */
/* The register by which a guest ends itself with a status. */
#pragma once

#include <sel4vm/guest_vm.h>

/** Shows it to the guest. Returns 0, or -1 after a line in the log. */
int kvm_power_attach(vm_t *vm);
