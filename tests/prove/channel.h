/* SPDX-License-Identifier: BSD-2-Clause */
/* A channel for proofs: the shared words and rings, each an object of its own, so that no access leaves its own. */
#pragma once

#include "prove.h"

/* What the compiler's atomic accesses become: those of shared words and of headers in a ring are functions of world.h,
 * and the session's state may change at any time. */
uint32_t world_load(const uint32_t *word);
uint64_t world_load_header(const uint64_t *header);
void world_store(const uint32_t *word, uint32_t value);

#define __atomic_load_n(at, order)                                                                                     \
    _Generic((at), const uint32_t * : world_load((const void *)(at)), const uint64_t *                                 \
             : world_load_header((const void *)(at)), const int *                                                      \
             : nondet_int(), default                                                                                   \
             : *(at))
#define __atomic_store_n(at, value, order)                                                                             \
    _Generic((at), uint32_t *                                                                                          \
             : world_store((const void *)(at), (uint32_t)(uintptr_t)(value)), default                                  \
             : (void)(*(at) = (value)))
#define __atomic_thread_fence(order) ((void)0)

#define __builtin_ia32_pause() ((void)0)
#define __builtin_memcpy(to, from, length) prove_copy(to, from, length)

#include <crossvm/channel.h>
