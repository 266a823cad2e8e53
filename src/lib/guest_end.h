/* SPDX-License-Identifier: BSD-2-Clause */
/* What an open end in a guest is made of: guest_open.c makes it, guest.c works with it. */
#pragma once

#include "end.h"
#include "intx.h"
#include "registers.h"
#include "uio_device.h"

struct guest_end {
    struct crossvm_end end; /* end.fd is the UIO device */
    struct uio_device device;
    struct registers page;
    struct intx intx;       /* open with uio_pci_generic only */
    bool generic;           /* this library is the device's driver: the kernel's only passes interrupts on */
    bool gone;              /* the device was removed; atomic, for crossvm_emit() in other threads */
    uint64_t seen;          /* sequence up to which crossvm_wait() has returned events */
    uint64_t peer;          /* PEER as crossvm_wait() knows it */
    uint32_t seen_register; /* what SEEN holds */
    uint32_t unclaimed;     /* base block: events found at opening, for which no interrupt will come */
};

/** The calls of an end whose device has the extended block, and of one with the base block alone. */
extern const struct end_ops cvm_guest_extended_ops;
extern const struct end_ops cvm_guest_base_ops;

/** Starts where the last end stopped: SEEN holds the lower half of the sequence up to which it saw events. */
void cvm_guest_start(struct guest_end *guest);

/** Gives back what an end has so far, and the end. */
void cvm_guest_release(struct guest_end *guest);
