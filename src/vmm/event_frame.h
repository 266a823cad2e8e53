/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event frames: the pages of guest memory that hold event pages, each at a fixed guest physical address.
 */
#pragma once

#include <stdint.h>

#include <crossvm/vmm.h>

#include "guest.h"

/** An event frame: of a connection, or spare. */
struct event_frame {
    struct event_frame *next;
    uintptr_t address;                /**< guest physical */
    void *mapping;                    /**< libsel4vm's, for the VMM: uncached on some machines */
    void *memory;                     /**< the same frame, cached as guests map it; NULL: not mapped yet */
    crossvm_connection_t *connection; /**< NULL: spare; the guest's stores have no effect */
};

/** The event frame at a guest physical address; made, as a spare one, if it is new. NULL: no memory, or the address is
 * taken. */
struct event_frame *cvmm_event_frame_get(struct guest *guest, uintptr_t address);

/** Frees what the module keeps of the event frames of a guest without connections. */
void cvmm_event_frames_free(struct guest *guest);
