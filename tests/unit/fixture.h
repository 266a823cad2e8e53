/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM without KVM for tests of the module: its accesses come from the test, its interrupts go to the test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <crossvm/vmm.h>
#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>

#define BASE 0xc0000000UL

/** A VM, its PCI space, and the bus that connects them. */
struct fixture {
    vm_t vm;
    vmm_pci_space_t *pci;
    crossvm_bus_t bus;
};

/** The state that a failed call must not change. */
struct state {
    kvm_test_snapshot_t vm;
    size_t heap; /**< bytes allocated */
    unsigned char pci[sizeof(vmm_pci_space_t)];
};

/** cmocka set-up and tear-down. Their state is a struct fixture. The leak sanitizer finds what a test does not free. */
int fixture_set_up(void **state);
int fixture_tear_down(void **state);

/** A test with that set-up and tear-down. */
#define FIXTURE_TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

/** Makes one more VM. */
void fixture_vm_create(struct fixture *fixture);
void fixture_vm_destroy(struct fixture *fixture);

void state_take(const struct fixture *fixture, struct state *state);
void state_assert_unchanged(const struct fixture *fixture, const struct state *before);

/** How many lines the module has logged since the last call; the last line is in log_last. */
unsigned int log_take(void);
extern char log_last[512];

/** An alloc_irq: returns numbers from FIRST_IRQ up to irq_limit, then -1. */
#define FIRST_IRQ (KVM_LAST_IRQ - 13)
int irq_alloc(void);
extern int irq_next;
extern int irq_limit;

/** Makes the n-th calloc() from now on fail, once. The first is number 1; 0: none fails. Returns what is left of the n
 * of the last call. */
int calloc_fail_after(int n);

/** Makes n frames of 1 << bits bytes. The array is static and valid until the next call. */
seL4_CPtr *frames_make(size_t n, size_t bits);

/** Installs one connection with a dataport of 4 KiB. The test fails if that does not work. */
crossvm_connection_t *install_one(struct fixture *fixture, const char *name);

/** Accesses of the guest. */
void guest_store(struct fixture *fixture, uintptr_t address, size_t length, uint64_t value);
uint32_t guest_config_read(struct fixture *fixture, const crossvm_connection_t *c, unsigned int offset,
                           unsigned int size);
void guest_config_write(struct fixture *fixture, const crossvm_connection_t *c, unsigned int offset, unsigned int size,
                        uint32_t value);

/** The guest enables memory space, as a driver does when it binds. */
void guest_enable(struct fixture *fixture, const crossvm_connection_t *c);

/** Guest physical address of BAR i. */
uintptr_t bar(const crossvm_connection_t *c, unsigned int i);

/** A word of the event page as the guest reads it. */
uint32_t page_word(const crossvm_connection_t *c, size_t offset);
