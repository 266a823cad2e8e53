/* SPDX-License-Identifier: BSD-2-Clause */
/* A part of a YAML document. It knows its line and path, so that a message can name them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "document.h"

struct part {
    struct document *document;
    yaml_node_t *node;
    char path[160]; /**< such as connections[0].dataports[1].size; empty for the whole */
};

/** The whole document. */
struct part document_root(struct document *document);

/** Counts an error, and prints "FILE:LINE: PATH: SENTENCE" on standard error unless there were too many already. */
__attribute__((format(printf, 2, 3))) void part_error(const struct part *part, const char *format, ...);

/**
 * Checks that a part is a mapping with these keys and no others, each at most once. The error about an unknown key
 * names the key that was probably meant. False after an error on the part itself; wrong keys alone do not make it
 * false.
 *
 * @param keys ends with NULL
 */
bool part_check_mapping(const struct part *part, const char *const *keys);

/** The value of a key of a mapping. False when it is not there. */
bool part_find(const struct part *mapping, const char *key, struct part *value);

/** The same, with an error when it is not there. */
bool part_require(const struct part *mapping, const char *key, struct part *value);

/** Checks that a part is a list. False after an error. */
bool part_check_list(const struct part *part);

/** How many items a list has, and the i-th. */
size_t part_count(const struct part *list);
struct part part_item(const struct part *list, size_t i);

/** Whether a part is a single value, or a mapping. */
bool part_is_text(const struct part *part);
bool part_is_mapping(const struct part *part);

/** The text of a single value, which lives as long as the document. NULL after an error: it is no value, or empty. */
const char *part_text(const struct part *part);

/** The same, but an empty text is no error. */
const char *part_text_or_none(const struct part *part);
