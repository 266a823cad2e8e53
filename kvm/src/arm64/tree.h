/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a flattened device tree, from start to end. An error is kept, and what is written after it does nothing, so
 * that only tree_finish() has a result.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tree {
    void *blob;
    int error; /**< of libfdt */
};

void tree_begin(struct tree *tree, void *memory, size_t size);

/** Completes the tree. Returns 0, or an error of libfdt. */
int tree_finish(struct tree *tree);

/** A node, up to the matching tree_end_node(). The second has @ and the address in its name. */
void tree_begin_node(struct tree *tree, const char *name);
void tree_begin_node_at(struct tree *tree, const char *name, uint64_t address);
void tree_end_node(struct tree *tree);

/* Properties of the node: nothing, bytes, a string, several strings (each with its NUL), cells, addresses of two cells.
 */
void tree_flag(struct tree *tree, const char *name);
void tree_bytes(struct tree *tree, const char *name, const void *bytes, size_t size);
void tree_string(struct tree *tree, const char *name, const char *string);
void tree_cell(struct tree *tree, const char *name, uint32_t value);
void tree_cells(struct tree *tree, const char *name, const uint32_t *cells, size_t num);
void tree_wide(struct tree *tree, const char *name, const uint64_t *values, size_t num);

#define TREE_CELLS(tree, name, ...)                                                                                    \
    tree_cells(tree, name, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define TREE_WIDE(tree, name, ...)                                                                                     \
    tree_wide(tree, name, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))
