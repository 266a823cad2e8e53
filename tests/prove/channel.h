/* SPDX-License-Identifier: BSD-2-Clause */
/* A channel for proofs: the shared words and rings, each an object of its own, so that no access leaves its own. */
#pragma once

#include "prove.h"

#define CROSSVM_CHANNEL_EXPLORE /* then loads and stores of words are functions, see channel_world.c */

/* Loads of private members. No proof so far is of code that loads the header of a record. */
#define __atomic_load_n(at, order) (*(at))

#define __builtin_ia32_pause() ((void)0)
#define __builtin_memcpy(to, from, length) prove_copy(to, from, length)

#include <crossvm/channel.h>
