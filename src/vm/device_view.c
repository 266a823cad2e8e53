/* SPDX-License-Identifier: BSD-2-Clause */
#include "device_view.h"

#include <string.h>

/* PCI Local Bus Specification 3.0, chapter 6 and appendix H. */
#define PCI_ID 0x00
#define PCI_CLASS 0x08
#define PCI_BAR(i) (0x10u + 4 * (i))
#define PCI_CAPABILITIES 0x34
#define PCI_INTERRUPT 0x3c
#define PCI_CAPABILITY_MSI 0x05
#define BAR_ADDRESS_MASK 0xfffffff0u

/* --- configuration space --- */

static uint32_t config_read(const struct machine *machine, vmm_pci_address_t address, unsigned int offset, int size)
{
    const vmm_pci_entry_t *entry = find_device(machine->pci, address);
    uint32_t value = UINT32_MAX;

    if (entry)
        (void)entry->ioread(entry->cookie, (int)offset, size, &value);
    return value;
}

static bool has_capability(const struct machine *machine, vmm_pci_address_t address, uint32_t id)
{
    unsigned int next = config_read(machine, address, PCI_CAPABILITIES, 1);

    while (next) {
        if (config_read(machine, address, next, 1) == id)
            return true;
        next = config_read(machine, address, next + 1, 1);
    }
    return false;
}

/* --- registers --- */

static uint32_t load(const struct wiring *wiring, size_t offset)
{
    return crossvm_get_register(wiring->connection, offset);
}

static void load_text(const struct wiring *wiring, size_t offset, size_t bytes, char *text)
{
    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        uint32_t word = load(wiring, offset + i);

        memcpy(text + i, &word, sizeof(word));
    }
    text[bytes - 1] = '\0';
}

static void read_base_block(struct device_view *view, const struct wiring *wiring)
{
    load_text(wiring, CROSSVM_REG_NAME, CROSSVM_NAME_BYTES, view->name);
    view->count = load(wiring, CROSSVM_REG_COUNT);
    for (size_t i = 0; i < view->num_dataports; i++)
        view->dataports[i].rights = CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE;
}

static void read_extended_block(struct device_view *view, const struct wiring *wiring)
{
    load_text(wiring, CROSSVM_REG_FULL_NAME, CROSSVM_FULL_NAME_BYTES, view->name);
    view->version = load(wiring, CROSSVM_REG_VERSION);
    view->end = load(wiring, CROSSVM_REG_END);
    view->features = load(wiring, CROSSVM_REG_FEATURES);
    for (size_t i = 0; i < view->num_dataports; i++) {
        size_t size = CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_SIZE;

        view->dataports[i].size = load(wiring, size) | (uint64_t)load(wiring, size + 4) << 32;
        view->dataports[i].rights = load(wiring, CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_RIGHTS);
    }
}

/* --- all together --- */

void device_view_read(struct device_view *view, const struct machine *machine, const struct wiring *wiring)
{
    crossvm_connection_info_t info;
    uint32_t id, interrupt;

    crossvm_get_connection_info(wiring->connection, &info);
    id = config_read(machine, info.pci, PCI_ID, 4);
    interrupt = config_read(machine, info.pci, PCI_INTERRUPT, 2);
    *view = (struct device_view){
        .peer_is_vm = wiring->own_seq != NULL,
        .pci = info.pci,
        .vendor = id & 0xffff,
        .device = id >> 16,
        .class = config_read(machine, info.pci, PCI_CLASS, 4) >> 8,
        .msi = has_capability(machine, info.pci, PCI_CAPABILITY_MSI),
        .pin = (char)('A' + (interrupt >> 8) - 1),
        .irq = interrupt & 0xff,
        .irq_shared = info.irq_shared,
        .extended = load(wiring, CROSSVM_REG_MAGIC) == CROSSVM_MAGIC,
        .num_dataports = info.num_dataports,
    };
    for (unsigned int i = 0; i < CROSSVM_BAR_DATAPORT + info.num_dataports; i++) {
        view->bars[i].address = config_read(machine, info.pci, PCI_BAR(i), 4) & BAR_ADDRESS_MASK;
        view->bars[i].size = info.bar_size[i];
    }
    if (view->extended)
        read_extended_block(view, wiring);
    else
        read_base_block(view, wiring);
}
