/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What proofs have in common. CBMC compiles the real sources with this included first, and tries all values of whatever
 * a nondet_...() function returns.
 *
 * What a peer shares changes between any two loads. So a load of it returns anything here, and is checked for its
 * place. Copies are checked, not made, since what they would copy is anything, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool nondet_bool(void);
int nondet_int(void);
uint32_t nondet_u32(void);
uint64_t nondet_u64(void);
size_t nondet_size(void);

/** What a proof is about: holds for all values, or the proof fails with the text. */
#define prove(condition, text) __CPROVER_assert(condition, text)

/** What a proof takes for granted. */
#define assume(condition) __CPROVER_assume(condition)

/** Shows that what was assumed can be: the one check of a proof that has to fail. Else the proof would be about
 * nothing. */
#define reached() __CPROVER_assert(false, "reached")

static inline void prove_copy(void *to, const void *from, size_t length)
{
    prove(length == 0 || __CPROVER_r_ok(from, length), "a copy loads from inside");
    prove(length == 0 || __CPROVER_w_ok(to, length), "a copy stores inside");
}
