/* SPDX-License-Identifier: BSD-2-Clause */
#include "pci_layers.h"

#include <stdlib.h>
#include <string.h>

#include <pci/helper.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>
#include <utils/util.h>

#include "resource.h"

#define NUM_BARS 6

static vmm_pci_entry_t no_memory(const char *what)
{
    ZF_LOGE("no memory for a PCI device's %s", what);
    return (vmm_pci_entry_t){0};
}

static bool touches(int offset, int size, int reg)
{
    return offset <= reg && reg < offset + size;
}

/* Changes bits of one byte in the result of an access. */
static void patch(uint32_t *result, int offset, int reg, uint8_t clear, uint8_t set)
{
    int shift = 8 * (reg - offset);

    *result = (*result & ~((uint32_t)clear << shift)) | (uint32_t)set << shift;
}

/* --- base address registers --- */

struct bar_layer {
    vmm_pci_entry_t below;
    int num_bars;
    vmm_pci_bar_t bars[NUM_BARS];
    uint32_t stored[NUM_BARS];
};

/* Address bits below the size read as 0, whatever was stored, so that the guest can find the size. */
static uint32_t bar_value(const struct bar_layer *layer, int i)
{
    const vmm_pci_bar_t *bar;
    uint32_t kind;

    if (i >= layer->num_bars)
        return 0;
    bar = &layer->bars[i];
    kind = bar->mem_type == NON_MEM        ? PCI_BASE_ADDRESS_SPACE_IO
           : bar->mem_type == PREFETCH_MEM ? PCI_BASE_ADDRESS_MEM_PREFETCH
                                           : PCI_BASE_ADDRESS_SPACE_MEMORY;
    return (layer->stored[i] & (uint32_t)~MASK(bar->size_bits)) | kind;
}

static bool is_bar(int offset, int size)
{
    return offset >= PCI_BASE_ADDRESS_0 && offset + size <= PCI_BASE_ADDRESS_5 + 4 && (offset & 3) + size <= 4;
}

static int bar_read(void *cookie, int offset, int size, uint32_t *result)
{
    const struct bar_layer *layer = cookie;
    uint32_t value;

    if (!is_bar(offset, size))
        return layer->below.ioread(layer->below.cookie, offset, size, result);
    value = bar_value(layer, (offset - PCI_BASE_ADDRESS_0) / 4);
    *result = 0;
    memcpy(result, (const uint8_t *)&value + (offset & 3), (size_t)size);
    return 0;
}

static int bar_write(void *cookie, int offset, int size, uint32_t value)
{
    struct bar_layer *layer = cookie;
    int i = (offset - PCI_BASE_ADDRESS_0) / 4;

    if (!is_bar(offset, size))
        return layer->below.iowrite(layer->below.cookie, offset, size, value);
    memcpy((uint8_t *)&layer->stored[i] + (offset & 3), &value, (size_t)size);
    return 0;
}

vmm_pci_entry_t vmm_pci_create_bar_emulation(vmm_pci_entry_t existing, int num_bars, vmm_pci_bar_t *bars)
{
    struct bar_layer *layer = num_bars < 0 || num_bars > NUM_BARS ? NULL : kvm_alloc(1, sizeof(*layer));

    if (!layer)
        return no_memory("base address registers");
    layer->below = existing;
    layer->num_bars = num_bars;
    for (int i = 0; i < num_bars; i++) {
        layer->bars[i] = bars[i];
        layer->stored[i] = (uint32_t)bars[i].address;
    }
    return (vmm_pci_entry_t){.cookie = layer, .ioread = bar_read, .iowrite = bar_write};
}

/* --- the interrupt line --- */

struct irq_layer {
    vmm_pci_entry_t below;
    uint8_t irq;
};

static int irq_read(void *cookie, int offset, int size, uint32_t *result)
{
    const struct irq_layer *layer = cookie;
    int error = layer->below.ioread(layer->below.cookie, offset, size, result);

    if (!error && touches(offset, size, PCI_INTERRUPT_LINE))
        patch(result, offset, PCI_INTERRUPT_LINE, 0xff, layer->irq);
    return error;
}

static int irq_write(void *cookie, int offset, int size, uint32_t value)
{
    const struct irq_layer *layer = cookie;

    if (touches(offset, size, PCI_INTERRUPT_LINE))
        return 0;
    return layer->below.iowrite(layer->below.cookie, offset, size, value);
}

vmm_pci_entry_t vmm_pci_create_irq_emulation(vmm_pci_entry_t existing, int irq)
{
    struct irq_layer *layer = irq < 0 || irq > UINT8_MAX ? NULL : kvm_alloc(1, sizeof(*layer));

    if (!layer)
        return no_memory("interrupt line");
    *layer = (struct irq_layer){.below = existing, .irq = (uint8_t)irq};
    return (vmm_pci_entry_t){.cookie = layer, .ioread = irq_read, .iowrite = irq_write};
}

/* --- the list of capabilities --- */

struct cap_layer {
    vmm_pci_entry_t below;
    int num_caps;
    int num_hidden;
    uint8_t *caps;
    uint8_t *hidden_start;
    uint8_t *hidden_end;
};

static bool is_hidden(const struct cap_layer *layer, int offset, int size)
{
    for (int i = 0; i < layer->num_hidden; i++) {
        if (offset <= layer->hidden_end[i] && offset + size > layer->hidden_start[i])
            return true;
    }
    return false;
}

static int cap_read(void *cookie, int offset, int size, uint32_t *result)
{
    const struct cap_layer *layer = cookie;
    int error;

    if (is_hidden(layer, offset, size)) {
        *result = 0;
        return 0;
    }
    error = layer->below.ioread(layer->below.cookie, offset, size, result);
    if (error)
        return error;
    if (touches(offset, size, PCI_STATUS))
        patch(result, offset, PCI_STATUS, PCI_STATUS_CAP_LIST, layer->num_caps ? PCI_STATUS_CAP_LIST : 0);
    if (touches(offset, size, PCI_CAPABILITY_LIST))
        patch(result, offset, PCI_CAPABILITY_LIST, 0xff, layer->num_caps ? layer->caps[0] : 0);
    for (int i = 0; i < layer->num_caps; i++) {
        int next = layer->caps[i] + PCI_CAP_LIST_NEXT;

        if (touches(offset, size, next))
            patch(result, offset, next, 0xff, i + 1 < layer->num_caps ? layer->caps[i + 1] : 0);
    }
    return 0;
}

static int cap_write(void *cookie, int offset, int size, uint32_t value)
{
    const struct cap_layer *layer = cookie;

    if (is_hidden(layer, offset, size))
        return 0;
    return layer->below.iowrite(layer->below.cookie, offset, size, value);
}

static void cap_layer_free(struct cap_layer *layer)
{
    free(layer->caps);
    free(layer->hidden_start);
    free(layer->hidden_end);
    free(layer);
}

static uint8_t *copy_bytes(const uint8_t *bytes, int num)
{
    uint8_t *copy = kvm_alloc((size_t)num + 1, 1); /* never of size 0 */

    if (copy && num)
        memcpy(copy, bytes, (size_t)num);
    return copy;
}

vmm_pci_entry_t vmm_pci_create_cap_emulation(vmm_pci_entry_t existing, int num_caps, uint8_t *caps, int num_ranges,
                                             uint8_t *range_starts, uint8_t *range_ends)
{
    struct cap_layer *layer = num_caps < 0 || num_ranges < 0 ? NULL : kvm_alloc(1, sizeof(*layer));

    if (!layer)
        return no_memory("capabilities");
    *layer = (struct cap_layer){
        .below = existing,
        .num_caps = num_caps,
        .num_hidden = num_ranges,
        .caps = copy_bytes(caps, num_caps),
        .hidden_start = copy_bytes(range_starts, num_ranges),
        .hidden_end = copy_bytes(range_ends, num_ranges),
    };
    if (!layer->caps || !layer->hidden_start || !layer->hidden_end) {
        cap_layer_free(layer);
        return no_memory("capabilities");
    }
    return (vmm_pci_entry_t){.cookie = layer, .ioread = cap_read, .iowrite = cap_write};
}

void kvm_pci_layers_free(vmm_pci_entry_t entry)
{
    for (;;) {
        vmm_pci_entry_t below;

        if (entry.ioread == bar_read) {
            below = ((struct bar_layer *)entry.cookie)->below;
            free(entry.cookie);
        } else if (entry.ioread == irq_read) {
            below = ((struct irq_layer *)entry.cookie)->below;
            free(entry.cookie);
        } else if (entry.ioread == cap_read) {
            below = ((struct cap_layer *)entry.cookie)->below;
            cap_layer_free(entry.cookie);
        } else {
            return;
        }
        entry = below;
    }
}
