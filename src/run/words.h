/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of words, for messages about a wrong one. */
#pragma once

#include <stddef.h>

/** Joins the texts of a list that ends with NULL, with commas; as many bytes as fit. */
void join_texts(char *to, size_t size, const char *const *texts);

/** The candidate (of a list that ends with NULL) that is most like a text, or NULL if no candidate is like it. */
const char *most_like(const char *text, const char *const *candidates);
