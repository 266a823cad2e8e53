/* SPDX-License-Identifier: BSD-2-Clause */
/* A vCPU and its thread. */
#pragma once

#include <sel4vm/guest_vm.h>

/** Makes a vCPU's private state. Returns 0, or -1 after a line in the log. */
int kvm_vcpu_create(vm_vcpu_t *vcpu);
void kvm_vcpu_destroy(vm_vcpu_t *vcpu);

/** Starts its thread. Returns 0 or a negative errno value. */
int kvm_vcpu_start(vm_vcpu_t *vcpu);

/** Makes it look at stop_requested, if its thread runs. The caller holds run_mutex. */
void kvm_vcpu_stop(vm_vcpu_t *vcpu);

/**
 * Tells of an instruction on memory that KVM has to emulate and cannot, such as a vector store to a page of registers.
 * A guest can do this without end; only the first is logged.
 */
void kvm_vcpu_log_emulation_failure(vm_vcpu_t *vcpu);

/** Waits for the end of its thread. */
void kvm_vcpu_join(vm_vcpu_t *vcpu);
