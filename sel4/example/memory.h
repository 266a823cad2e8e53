/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that a guest and a component share.
 */
#pragma once

#include <stddef.h>

#include <sel4/sel4.h>
#include <vka/vka.h>

/** Allocates frames of 4 KiB, zeroed by the kernel. Returns 0, or -1 when memory or slots are used up. */
int memory_allocate(vka_t *vka, seL4_CPtr *frames, size_t n);

/**
 * Makes a second capability to each frame.
 *
 * A capability holds one mapping, so each address space needs its own. The guest's must be copies for a second reason:
 * libsel4vm deletes them when the connection is removed.
 *
 * @return 0, or -1 when slots are used up
 */
int memory_copy(vka_t *vka, const seL4_CPtr *frames, seL4_CPtr *copies, size_t n);
