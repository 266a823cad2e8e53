/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's console: its serial port, between two descriptors. */
#pragma once

#include <sel4vm/guest_vm.h>

/** Starts the thread that moves bytes, if the VM has a console. Returns 0 or a negative errno value. */
int kvm_console_start(vm_t *vm);

/** Ends the thread once the guest's last output is written, or has waited too long for a reader. */
void kvm_console_stop(vm_t *vm);

/** Frees the console, if there is one. */
void kvm_console_destroy(vm_t *vm);
