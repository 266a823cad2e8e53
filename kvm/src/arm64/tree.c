/* SPDX-License-Identifier: BSD-2-Clause */
#include "tree.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

static void note(struct tree *tree, int result)
{
    if (!tree->error)
        tree->error = result;
}

void tree_begin(struct tree *tree, void *memory, size_t size)
{
    tree->blob = memory;
    tree->error = fdt_create(memory, (int)size);
    if (!tree->error)
        note(tree, fdt_finish_reservemap(memory));
}

int tree_finish(struct tree *tree)
{
    if (!tree->error)
        note(tree, fdt_finish(tree->blob));
    return tree->error;
}

void tree_begin_node(struct tree *tree, const char *name)
{
    if (!tree->error)
        note(tree, fdt_begin_node(tree->blob, name));
}

void tree_begin_node_at(struct tree *tree, const char *name, uint64_t address)
{
    char full[64];

    (void)snprintf(full, sizeof(full), "%s@%" PRIx64, name, address);
    tree_begin_node(tree, full);
}

void tree_end_node(struct tree *tree)
{
    if (!tree->error)
        note(tree, fdt_end_node(tree->blob));
}

void tree_bytes(struct tree *tree, const char *name, const void *bytes, size_t size)
{
    if (!tree->error)
        note(tree, fdt_property(tree->blob, name, bytes, (int)size));
}

void tree_flag(struct tree *tree, const char *name)
{
    tree_bytes(tree, name, "", 0);
}

void tree_string(struct tree *tree, const char *name, const char *string)
{
    tree_bytes(tree, name, string, strlen(string) + 1);
}

void tree_cell(struct tree *tree, const char *name, uint32_t value)
{
    tree_cells(tree, name, &value, 1);
}

void tree_cells(struct tree *tree, const char *name, const uint32_t *cells, size_t num)
{
    void *place = NULL;

    if (!tree->error)
        note(tree, fdt_property_placeholder(tree->blob, name, (int)(num * sizeof(*cells)), &place));
    for (size_t i = 0; i < num && !tree->error; i++)
        fdt32_st((uint8_t *)place + i * sizeof(*cells), cells[i]);
}

void tree_wide(struct tree *tree, const char *name, const uint64_t *values, size_t num)
{
    void *place = NULL;

    if (!tree->error)
        note(tree, fdt_property_placeholder(tree->blob, name, (int)(num * sizeof(*values)), &place));
    for (size_t i = 0; i < num && !tree->error; i++)
        fdt64_st((uint8_t *)place + i * sizeof(*values), values[i]);
}
