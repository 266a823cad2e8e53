/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Comparisons of declarations that the compiler makes. A difference is an error in the line that names it.
 */
#pragma once

/** The expression has exactly this type. */
#define SAME_TYPE(expression, type)                                                                                    \
    _Static_assert(__builtin_types_compatible_p(__typeof__(expression), type),                                         \
                   #expression " has another type than " #type)

/** The function has exactly these parameters and this result: SAME_FUNCTION(name, result, (parameters)). */
#define SAME_FUNCTION(name, result, parameters) SAME_TYPE(&(name), result(*) parameters)

/** The structure has a member of exactly this type; an array's type counts as that of its elements, with [0]. */
#define SAME_MEMBER(structure, member, type) SAME_TYPE(((structure *)0)->member, type)

/** The constant has this value. */
#define SAME_VALUE(constant, value) _Static_assert((constant) == (value), #constant " is not " #value)
