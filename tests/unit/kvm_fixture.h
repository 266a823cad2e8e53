/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM of libsel4vm on Linux KVM without KVM behind it, for tests of that library.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#define RAM_SIZE (2u << 20)
#define WINDOW KVM_PCI_WINDOW_BASE

/** The VM of the running test, and its only vCPU. */
extern vm_t vm;
extern vm_vcpu_t *vcpu;

/** Lines of the log since the test began. */
extern int lines_logged;

/** cmocka set-up and tear-down. */
int create_vm(void **state);
int destroy_vm(void **state);

/** A test with that set-up and tear-down. */
#define IN_VM(test) cmocka_unit_test_setup_teardown(test, create_vm, destroy_vm)

/** What the VM holds now. */
kvm_test_snapshot_t snapshot(void);

/** What note_access() saw of the last access, and what it is to answer. */
struct access {
    int calls;
    uintptr_t address;
    size_t size, length;
    bool is_read;
    uint64_t data, mask;
    uint64_t answer; /**< what a load gives */
    memory_fault_result_t result;
};

/** A fault callback for an access of the VM; the cookie is a struct access. */
memory_fault_result_t note_access(vm_t *its_vm, vm_vcpu_t *its_vcpu, uintptr_t address, size_t length, void *cookie);

/** An acknowledgement that counts; the cookie is an int. */
void count_end(vm_vcpu_t *its_vcpu, int irq, void *cookie);
