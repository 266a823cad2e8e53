/* SPDX-License-Identifier: BSD-2-Clause */
#include "fdt_writer.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

static void note(struct kvm_fdt *tree, int result)
{
    if (!tree->error)
        tree->error = result;
}

void kvm_fdt_begin(struct kvm_fdt *tree, void *memory, size_t size)
{
    tree->blob = memory;
    tree->error = fdt_create(memory, (int)size);
    if (!tree->error)
        note(tree, fdt_finish_reservemap(memory));
}

int kvm_fdt_finish(struct kvm_fdt *tree)
{
    if (!tree->error)
        note(tree, fdt_finish(tree->blob));
    return tree->error;
}

void kvm_fdt_begin_node(struct kvm_fdt *tree, const char *name)
{
    if (!tree->error)
        note(tree, fdt_begin_node(tree->blob, name));
}

void kvm_fdt_begin_node_at(struct kvm_fdt *tree, const char *name, uint64_t address)
{
    char full[64];

    (void)snprintf(full, sizeof(full), "%s@%" PRIx64, name, address);
    kvm_fdt_begin_node(tree, full);
}

void kvm_fdt_end_node(struct kvm_fdt *tree)
{
    if (!tree->error)
        note(tree, fdt_end_node(tree->blob));
}

void kvm_fdt_bytes(struct kvm_fdt *tree, const char *name, const void *bytes, size_t size)
{
    if (!tree->error)
        note(tree, fdt_property(tree->blob, name, bytes, (int)size));
}

void kvm_fdt_flag(struct kvm_fdt *tree, const char *name)
{
    kvm_fdt_bytes(tree, name, "", 0);
}

void kvm_fdt_string(struct kvm_fdt *tree, const char *name, const char *string)
{
    kvm_fdt_bytes(tree, name, string, strlen(string) + 1);
}

void kvm_fdt_cell(struct kvm_fdt *tree, const char *name, uint32_t value)
{
    kvm_fdt_cells(tree, name, &value, 1);
}

void kvm_fdt_cells(struct kvm_fdt *tree, const char *name, const uint32_t *cells, size_t num)
{
    void *place = NULL;

    if (!tree->error)
        note(tree, fdt_property_placeholder(tree->blob, name, (int)(num * sizeof(*cells)), &place));
    for (size_t i = 0; i < num && !tree->error; i++)
        fdt32_st((uint8_t *)place + i * sizeof(*cells), cells[i]);
}

void kvm_fdt_wide(struct kvm_fdt *tree, const char *name, const uint64_t *values, size_t num)
{
    void *place = NULL;

    if (!tree->error)
        note(tree, fdt_property_placeholder(tree->blob, name, (int)(num * sizeof(*values)), &place));
    for (size_t i = 0; i < num && !tree->error; i++)
        fdt64_st((uint8_t *)place + i * sizeof(*values), values[i]);
}
