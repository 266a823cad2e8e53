/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU and its thread. */
#pragma once

#include <sel4vm/guest_vm.h>

/** Makes this library's state of a vCPU. Returns 0, or -1 after a line in the log. */
int kvm_vcpu_create(vm_vcpu_t *vcpu);

/** Frees it. */
void kvm_vcpu_destroy(vm_vcpu_t *vcpu);

/** Starts its thread. Returns 0 or a negative errno value. */
int kvm_vcpu_start(vm_vcpu_t *vcpu);

/** Makes its thread look at stop_requested, if it runs. Call with run_mutex held. */
void kvm_vcpu_stop(vm_vcpu_t *vcpu);

/**
 * Logs that KVM cannot emulate an instruction of the guest, such as a vector store to a page of registers. Only the
 * first is logged, since the guest decides how many there are.
 */
void kvm_vcpu_log_emulation_failure(vm_vcpu_t *vcpu);

/** Waits for the end of its thread. */
void kvm_vcpu_join(vm_vcpu_t *vcpu);
