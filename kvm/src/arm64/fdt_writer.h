/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a flattened device tree, from start to end. An error is kept, and what is written after it does nothing, so
 * that only kvm_fdt_finish() has a result.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct kvm_fdt {
    void *blob;
    int error; /**< of libfdt */
};

void kvm_fdt_begin(struct kvm_fdt *tree, void *memory, size_t size);

/** Completes the tree. Returns 0, or an error of libfdt. */
int kvm_fdt_finish(struct kvm_fdt *tree);

/** A node, up to the matching kvm_fdt_end_node(). The second has @ and the address in its name. */
void kvm_fdt_begin_node(struct kvm_fdt *tree, const char *name);
void kvm_fdt_begin_node_at(struct kvm_fdt *tree, const char *name, uint64_t address);
void kvm_fdt_end_node(struct kvm_fdt *tree);

/* Properties of the node: nothing, bytes, a string, several strings (each with its NUL), cells, addresses of two cells.
 */
void kvm_fdt_flag(struct kvm_fdt *tree, const char *name);
void kvm_fdt_bytes(struct kvm_fdt *tree, const char *name, const void *bytes, size_t size);
void kvm_fdt_string(struct kvm_fdt *tree, const char *name, const char *string);
void kvm_fdt_cell(struct kvm_fdt *tree, const char *name, uint32_t value);
void kvm_fdt_cells(struct kvm_fdt *tree, const char *name, const uint32_t *cells, size_t num);
void kvm_fdt_wide(struct kvm_fdt *tree, const char *name, const uint64_t *values, size_t num);

#define FDT_CELLS(tree, name, ...)                                                                                     \
    kvm_fdt_cells(tree, name, (const uint32_t[]){__VA_ARGS__},                                                         \
                  sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))
#define FDT_WIDE(tree, name, ...)                                                                                      \
    kvm_fdt_wide(tree, name, (const uint64_t[]){__VA_ARGS__},                                                          \
                 sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))
