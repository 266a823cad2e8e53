/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VM of this process, its devices and its connections.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <crossvm/vmm.h>
#include <sel4vm_kvm.h>

#include "join.h"
#include "loop.h"
#include "options.h"
#include "wiring.h"

struct machine {
    vm_t vm;
    bool has_vm;
    vmm_pci_space_t *pci;
    struct loop *loop;
    struct wiring *wirings; /**< in the order of the options */
    struct join *joins;     /**< one each */
    size_t num_connections;
};

/** Makes the VM with its devices and connections. Returns 0, or -1 after a message. machine_destroy() frees it, also
 * after a failure. */
int machine_create(struct machine *machine, const struct options *options);

/** Lets the hub tell of peers, and starts the loop, whose thread begins with a function. Returns 0, or -1 after a
 * message.
 */
int machine_serve(struct machine *machine, void (*begin_loop)(void));

/** Ends the loop and frees the VM with its connections. */
void machine_destroy(struct machine *machine);
