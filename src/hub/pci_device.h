/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device of docs/device.md for a VMM that places its BARs and asks for accesses one by one: registers,
 * configuration space and interrupts of one end. The event page is never mapped into the guest; own page, state page
 * and dataports are.
 *
 * What a guest or VMM does here concerns its own connection only: accesses of any kind are allowed at any time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../vmm/config_space.h"
#include "../vmm/event_page.h"
#include "end.h"
#include "pci_bars.h"
#include "pci_interrupts.h"

/** Instead of the number of a BAR. */
#define PCI_DEVICE_CONFIG (-1)

struct pci_device {
    struct hub_occupant occupant; /**< first */
    struct hub_end *end;
    _Alignas(8) uint8_t registers[CROSSVM_PAGE_SIZE]; /**< the event page, for loads */
    struct event_page page;
    struct config_space config;
    struct pci_bars bars;
    int bar0;             /**< memfd of BAR0: the pages of it that are mapped */
    uint8_t *bar0_memory; /**< mapped here; the guest writes there what it likes */
    struct pci_interrupts interrupts;
    bool has_cpus;          /**< more than one: the guest can run while the device looks */
    bool driver_alone;      /**< DRIVER is stored to in the driver page only */
    bool looked;            /**< events were told since the last doorbell */
    uint64_t counted;       /**< the peer's count that EVENT_SEQ includes */
    uint64_t told;          /**< OWN_SEQ that the peer was told */
    struct hub_look look;   /**< at OWN_SEQ, while AWAKE is set */
    int64_t look_until_ns;  /**< unless there is something to see before */
    uint64_t loads, stores; /**< of the event page, that came here */
};

/** What there is at a BAR's number. */
struct pci_device_bar {
    uint64_t size;                 /**< bytes; 0: none */
    int memfd;                     /**< of what may be mapped; -1: nothing */
    uint64_t map_offset, map_size; /**< of that, in the BAR */
    uint64_t file_offset;          /**< of the BAR in the memfd */
};

/** Makes a device without a VMM. 0, or -1 after a message; pci_device_destroy() frees in any case. */
int pci_device_init(struct pci_device *device, struct hub_end *end);
void pci_device_destroy(struct pci_device *device);

/** A VMM came: power-on values, and the end is taken. 0, or a negative errno value: -EBUSY. */
int pci_device_power_on(struct pci_device *device);

/** It is gone. */
void pci_device_power_off(struct pci_device *device);

/** The guest is reset. */
void pci_device_reset(struct pci_device *device);

/** Describes a BAR, 0 to 5. */
struct pci_device_bar pci_device_bar(const struct pci_device *device, unsigned int bar);

/**
 * Loads or stores bytes of a BAR or of PCI_DEVICE_CONFIG. What is outside loads zeros and stores nothing.
 *
 * @param count any
 */
void pci_device_load(struct pci_device *device, int bar, uint64_t offset, uint8_t *data, size_t count);
void pci_device_store(struct pci_device *device, int bar, uint64_t offset, const uint8_t *data, size_t count);

/** pci_interrupts_set() of a device. The rest of its interrupts is the VMM's to set. */
void pci_device_set_irq(struct pci_device *device, enum pci_irq irq, int eventfd);
