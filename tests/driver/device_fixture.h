/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices made of memory, and a kernel that notes what the driver does. Include after cmocka.h.
 */
#pragma once

#include "../../linux/crossvm.h"

#include "../../src/vmm/event_page.h"

#define BAR_BYTES 0x8000

/** What the driver did since honest() was called. */
extern struct seen {
    unsigned int notified; /**< UIO devices */
    unsigned int stores;   /**< by writel() */
    u32 last_value;
    const void *last_address;
    int intx_at_store; /**< what INTx of the first device was at the last store */
    bool no_memory;    /**< to be set: there is none for files */
    unsigned int files;
    int assignments_left; /**< to be set: so many resources find room */
} seen;

extern struct fixture_device {
    struct crossvm_device device;
    struct pci_dev pci;
    struct event_page page;
    _Alignas(4096) uint8_t bars[3][BAR_BYTES];
} devices[2];

/** Says where a BAR of a device is. */
void set_bar(unsigned int number, unsigned int bar, void *memory, size_t size);

/** Stores to BAR0 of the first device. */
void put32(size_t offset, u32 value);
void put64(size_t offset, u64 value);

/** A device that keeps to the specification: end 1, with two dataports, in BARs of 32 KiB, and all pages. */
struct crossvm_device *honest(unsigned int number);

/** The first device, over ivshmem: bars[2] has the region, with one dataport behind its front, and bars[0] the
 * doorbell. */
struct crossvm_device *honest_region(unsigned int end);
