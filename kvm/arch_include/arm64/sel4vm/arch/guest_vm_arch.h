/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of a VM and a vCPU that are this library's own. */
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
