/* SPDX-License-Identifier: BSD-2-Clause */
/* Code whose structures and functions are private to a file of the project, as events.c uses it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../../src/hub/pci_device.h"
#include "../../src/lib/end.h"
#include "../../src/vm/wiring.h"

/** Descriptors of the stories: each is a bell. */
#define FD_OF_BELL(bell) (100 + (bell))

/* host_end.c */

/** An end of a host program that counts at `count` and signals a bell. The memory is the caller's. */
#define HOST_END_BYTES 2048
struct crossvm_end *host_end_make(void *memory, uint64_t *count, int peer_doorbell);

/* hub_device.c */

/** The hub's device of an end, with the BAR that the guest maps, and the descriptor of its interrupt. */
void hub_device_make(struct pci_device *device, struct hub_end *end, uint8_t *bar0, int irq);

/** The peer has emitted. */
void hub_device_wake(struct pci_device *device);

/** The guest has stored to DOORBELL. */
void hub_device_doorbell(struct pci_device *device);

/* vm_wiring.c */

/** The peer has emitted, and KVM does not make an interrupt of it. */
void vm_wiring_relay(struct wiring *wiring);

/** The guest has stored to EMIT, and its peer is a guest. */
void vm_wiring_emit(struct wiring *wiring);
