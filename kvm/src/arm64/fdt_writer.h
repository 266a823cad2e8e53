/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a flattened device tree, from start to end. The first error is kept, and later calls do nothing, so only
 * kvm_fdt_finish() has a result.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct kvm_fdt {
    void *blob;
    int error; /**< of libfdt */
};

/** Begins a tree in `size` bytes of memory. */
void kvm_fdt_begin(struct kvm_fdt *tree, void *memory, size_t size);

/** Completes the tree. Returns 0, or an error of libfdt. */
int kvm_fdt_finish(struct kvm_fdt *tree);

/* A node holds what is written between one of the first two and kvm_fdt_end_node(). The second adds @ and the address
 * to the name. */
void kvm_fdt_begin_node(struct kvm_fdt *tree, const char *name);
void kvm_fdt_begin_node_at(struct kvm_fdt *tree, const char *name, uint64_t address);
void kvm_fdt_end_node(struct kvm_fdt *tree);

/* Properties of a node: without a value, bytes, a string, a cell, cells, and values of two cells each. */
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
