/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VM of the tests: its connections, the commands of its guest, and the peers.
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

struct machine;

/* The VMM's end of a connection: memory, and a peer that is a thread. */
struct end {
    struct machine *machine;
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
    int bell; /* eventfd that wakes the peer; -1: no peer */
    pthread_t thread;
};

struct machine {
    const struct scenario *scenario;
    vm_t vm;
    vmm_pci_space_t *pci;
    struct end ends[MAX_ENDS];
    const struct scenario_install *installing; /* for alloc_irq */
    int irqs_left;
    int floods;  /* threads at work */
    int console; /* descriptor for the guest's console */
    pthread_t thread;
    int status;
};

/* Makes the VM with the scenario's connections; its console goes to a descriptor. 0, or -1 after a message. */
int machine_create(struct machine *machine, const struct scenario *scenario, const char *kernel, const char *initramfs,
                   const char *append, int console);

/* Runs the guest to its end; its exit status. */
int machine_run(struct machine *machine);

void machine_destroy(struct machine *machine);

/* Lines that the module logged, of all VMs. */
unsigned int machine_log_lines(void);

/* A new end with one install call of its own: the peer's half of CONTROL_INSTALL. Result of crossvm_install(). */
int machine_install_one(struct machine *machine, const char *name, size_t size);

/* The end of that name, or NULL. */
struct end *machine_end(struct machine *machine, const char *name);

/* Takes an end out that has no peer: a peer may wait for the lock that the caller holds. */
void machine_remove(struct end *end);

/* Carries out the command that stands in the control dataport. In command.c. */
void command_run(struct machine *machine, struct control *control);

/* Starts or changes the peer of an end; wakes it. In peer.c. */
int peer_set(struct end *end, enum control_peer mode);
void peer_ring(struct end *end);
void peer_stop(struct end *end);
int peer_flood(struct end *end, uint64_t events);
