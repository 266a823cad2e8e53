/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM, its vCPUs and its run. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sel4/sel4.h>

#include <platsupport/io.h>
#include <simple/simple.h>
#include <vka/vka.h>
#include <vspace/vspace.h>

#include <sel4vm/arch/guest_vm_arch.h>
#include <sel4vm/guest_memory.h>

typedef struct vm vm_t;
typedef struct vm_vcpu vm_vcpu_t;
typedef struct vm_mem vm_mem_t;
typedef struct vm_ram_region vm_ram_region_t;
typedef struct vm_run vm_run_t;
typedef struct vm_arch vm_arch_t;

/** Handles an access to memory that no reservation claims. */
typedef memory_fault_result_t (*unhandled_mem_fault_callback_fn)(vm_t *vm, vm_vcpu_t *vcpu, uintptr_t paddr, size_t len,
                                                                 void *cookie);

/** On seL4, called when the VMM is notified. Never called here: a VMM on Linux has threads of its own for that. */
typedef int (*notification_callback_fn)(vm_t *vm, seL4_Word badge, seL4_MessageInfo_t tag, void *cookie);

/** A piece of the guest's RAM. */
struct vm_ram_region {
    uintptr_t start;
    size_t size;
    int allocated;
};

struct vm_mem {
    vspace_t vmm_vspace;
    vspace_t vm_vspace; /**< of the guest */
    int num_ram_regions;
    struct vm_ram_region *ram_regions; /**< in ascending order, neighbours merged */
    vm_memory_reservation_cookie_t *reservation_cookie;
    unhandled_mem_fault_callback_fn unhandled_mem_fault_handler;
    void *unhandled_mem_fault_cookie;
};

struct vm_tcb {
    int priority; /**< without effect */
};

struct vm_vcpu {
    struct vm *vm;
    struct vm_tcb tcb;
    unsigned int vcpu_id; /**< its index in the VM's vcpus */
    int target_cpu;       /**< the core that its thread is bound to, or -1 */
    bool vcpu_online;     /**< vcpu_start() was called */
    struct vm_vcpu_arch vcpu_arch;
};

struct vm_run {
    int exit_reason; /**< VM_GUEST_ERROR_EXIT after a crash */
    notification_callback_fn notification_callback;
    void *notification_callback_cookie;
};

struct vm {
    struct vm_arch arch;
    unsigned int num_vcpus;
    struct vm_vcpu *vcpus[CONFIG_MAX_NUM_NODES];
    struct vm_mem mem;
    struct vm_run run;
    seL4_CPtr host_endpoint;
    vka_t *vka;
    ps_io_ops_t *io_ops;
    simple_t *simple;
    seL4_Word entry; /**< guest physical address at which the boot vCPU starts */
    char *vm_name;
    unsigned int vm_id;
    bool vm_initialised;
};

/**
 * Runs the VM until it ends: by kvm_vm_stop(), by the guest itself, or by a crash. Each vCPU has a thread meanwhile.
 *
 * @return 0; -1 if the VM crashed or could not be run
 */
int vm_run(vm_t *vm);

/** Lets vm_run() run a vCPU. Call it for the boot vCPU; the guest starts the others. Returns 0 or -1. */
int vcpu_start(vm_vcpu_t *vcpu);

/** Sets the handler of accesses that no reservation claims. Returns 0, or -1 for a null argument. */
int vm_register_unhandled_mem_fault_callback(vm_t *vm, unhandled_mem_fault_callback_fn fault_handler, void *cookie);

/** Keeps the callback, which is never called here. Returns 0, or -1 for a null argument. */
int vm_register_notification_callback(vm_t *vm, notification_callback_fn notification_callback, void *cookie);
