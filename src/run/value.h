/* SPDX-License-Identifier: BSD-2-Clause */
/* Values in a topology: words, sizes, names, paths. A wrong value is an error of its part (part_error()). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "part.h"

#define MIB ((uint64_t)1 << 20)

/** Ends the process after a message. Nothing was started yet. */
__attribute__((noreturn)) void no_memory(void);

/** A copy, for the caller to free. */
char *copy_text(const char *text);

/** One of a list of words that ends with NULL: its index, or -1 after an error. */
int read_word(const struct part *part, const char *const *words);

/** A size that is a multiple of unit, from least to most. */
void read_size(const struct part *part, uint64_t unit, uint64_t least, uint64_t most, uint64_t *size);

/** The "name" of a mapping, for the caller to free; NULL after an error. */
char *read_name(const struct part *mapping);

/** A path, relative to a folder, for the caller to free; NULL after an error. */
char *read_path(const char *folder, const struct part *part);

/** The same, of a regular file that can be read; an error when it is not. */
char *read_input(const char *folder, const struct part *part);
