/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM and a vCPU keep besides the members that VMM code sees. */
#pragma once

struct kvm_vm;
struct kvm_vcpu;
struct kvm_gic;

struct vm_arch {
    struct kvm_vm *kvm;  /**< private to this library, as the next */
    struct kvm_gic *gic; /**< NULL: there is no KVM behind the VM */
};

struct vm_vcpu_arch {
    struct kvm_vcpu *kvm; /**< private to this library */
};
