/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of a VM and a vCPU that are this library's own. */
#pragma once

#include <sel4/sel4.h>

#include <sel4vm/arch/ioports.h>

struct kvm_vm;
struct kvm_vcpu;

struct vm_arch {
    struct kvm_vm *kvm; /**< private to this library */
    vm_io_port_list_t ioport_list;
    unhandled_ioport_callback_fn unhandled_ioport_callback;
    void *unhandled_ioport_callback_cookie;
};

struct vm_vcpu_arch {
    struct kvm_vcpu *kvm; /**< private to this library */
};
