/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames: what a capability of kvm_frames_create() and kvm_frames_import() names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <sel4/sel4.h>

/** A piece of a memfd. Two frames are of one memfd when their fd is the same. */
struct kvm_frame {
    int fd; /**< the table's */
    off_t offset;
    size_t size;
};

/** What a capability names. False: it names no frame. The fd is valid while the caller holds the VMM's lock. */
bool kvm_frame_find(seL4_CPtr cptr, struct kvm_frame *frame);

/** How many there are. */
size_t kvm_frame_count(void);
