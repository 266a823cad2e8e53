/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames, which capabilities of kvm_frames_create() and kvm_frames_import() name. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <sel4/sel4.h>

/** A piece of a memfd. Frames of one memfd have the same fd. */
struct kvm_frame {
    int fd; /**< belongs to the table of frames */
    off_t offset;
    size_t size;
};

/** Finds the frame that a capability names. False: it names none. The fd is valid while the caller holds the VMM's
 * lock.
 */
bool kvm_frame_find(seL4_CPtr cptr, struct kvm_frame *frame);

/** How many frames there are in the process. */
size_t kvm_frame_count(void);
