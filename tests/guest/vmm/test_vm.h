/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM of a scenario: its connections, the commands of its guest, and the peers.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

#include <crossvm/vmm.h>
#include <sel4vm_kvm.h>

#include "../control.h"
#include "scenario.h"

#define MAX_ENDS 160

struct test_vm;

/* The VMM's end of a connection: memory, and a peer that is a thread. */
struct end {
    struct test_vm *vm;
    char name[CROSSVM_FULL_NAME_BYTES]; /* empty: free */
    crossvm_connection_t *connection;
    size_t num_dataports;
    struct {
        size_t size;
        seL4_CPtr *frames;
        size_t num_frames;
        size_t frame_size_bits;
        unsigned char *memory;
    } dataports[CROSSVM_MAX_DATAPORTS];

    uint64_t emits; /* guarded by the VMM's lock, as the next two */
    uint64_t driver_changes;
    enum control_peer mode;
    int doorbell; /* eventfd that wakes the peer; -1: no peer */
    pthread_t thread;
};

struct test_vm {
    vm_t vm;
    vmm_pci_space_t *pci;
    struct end ends[MAX_ENDS];
    int irqs_left;
    int floods;  /* threads at work */
    int console; /* descriptor for the guest's console */
    pthread_t thread;
    int status;
};

/* Makes the VM with the scenario's connections; its console goes to a descriptor. 0, or -1 after a message. */
int test_vm_create(struct test_vm *test_vm, const struct scenario *scenario, const char *kernel, const char *initramfs,
                   const char *command_line, int console);

/* Runs the guest to its end; its exit status. */
int test_vm_run(struct test_vm *test_vm);

void test_vm_destroy(struct test_vm *test_vm);

/* Lines that the module logged, of all VMs. */
unsigned int test_vm_log_lines(void);

/* A new end with one install call of its own: the peer's half of CONTROL_INSTALL. Result of crossvm_install(). */
int test_vm_install_one(struct test_vm *test_vm, const char *name, size_t size);

/* The end of that name, or NULL. */
struct end *test_vm_end(struct test_vm *test_vm, const char *name);

/* Takes an end out that has no peer: a peer may wait for the lock that the caller holds. */
void test_vm_remove(struct end *end);

/* Carries out the command in the control dataport. In command.c. */
void command_run(struct test_vm *test_vm, struct control *control);

/* Starts or changes the peer of an end; wakes it. In peer.c. */
int peer_set(struct end *end, enum control_peer mode);
void peer_wake(struct end *end);
void peer_stop(struct end *end);
int peer_flood(struct end *end, uint64_t events);
