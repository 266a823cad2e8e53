/* SPDX-License-Identifier: BSD-2-Clause */
#include "dump.h"

#include <inttypes.h>
#include <string.h>

/* PCI Local Bus Specification 3.0, chapter 6 and appendix H. */
#define PCI_ID 0x00
#define PCI_CLASS 0x08
#define PCI_BAR(i) (0x10u + 4 * (i))
#define PCI_CAPABILITIES 0x34
#define PCI_INTERRUPT 0x3c
#define PCI_CAPABILITY_MSI 0x05
#define BAR_ADDRESS_MASK 0xfffffff0u

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

static uint64_t register64(const struct wiring *wiring, size_t offset)
{
    return crossvm_get_register(wiring->connection, offset) |
           (uint64_t)crossvm_get_register(wiring->connection, offset + 4) << 32;
}

static void read_text(const struct wiring *wiring, size_t offset, size_t bytes, char *text)
{
    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        uint32_t word = crossvm_get_register(wiring->connection, offset + i);

        memcpy(text + i, &word, sizeof(word));
    }
    text[bytes - 1] = '\0';
}

static void print_bar(FILE *out, const struct machine *machine, const crossvm_connection_info_t *info, size_t i,
                      const char *content)
{
    uint32_t address = config_read(machine, info->pci, PCI_BAR((unsigned int)i), 4) & BAR_ADDRESS_MASK;

    (void)fprintf(out, "  BAR%zu        0x%08" PRIx32 ", 0x%zx bytes: %s\n", i, address, info->bar_size[i], content);
}

static const char *rights_text(uint32_t rights)
{
    return rights & CROSSVM_RIGHT_WRITE ? "read and write" : "read only";
}

static void print_registers(FILE *out, const struct wiring *wiring)
{
    char name[CROSSVM_FULL_NAME_BYTES];
    uint32_t version = crossvm_get_register(wiring->connection, CROSSVM_REG_VERSION);

    if (crossvm_get_register(wiring->connection, CROSSVM_REG_MAGIC) != CROSSVM_MAGIC) {
        read_text(wiring, CROSSVM_REG_NAME, CROSSVM_NAME_BYTES, name);
        (void)fprintf(out, "  NAME        %s\n  COUNT       %" PRIu32 "\n  no extended block\n", name,
                      crossvm_get_register(wiring->connection, CROSSVM_REG_COUNT));
        return;
    }
    read_text(wiring, CROSSVM_REG_FULL_NAME, CROSSVM_FULL_NAME_BYTES, name);
    (void)fprintf(out, "  FULL_NAME   %s\n", name);
    (void)fprintf(out, "  VERSION     %" PRIu32 ".%" PRIu32 "\n", version >> 16, version & 0xffff);
    (void)fprintf(out, "  END         %" PRIu32 "\n", crossvm_get_register(wiring->connection, CROSSVM_REG_END));
    (void)fprintf(out, "  FEATURES    0x%" PRIx32 "\n", crossvm_get_register(wiring->connection, CROSSVM_REG_FEATURES));
    (void)fprintf(out, "  DATAPORTS   %" PRIu32 "\n",
                  crossvm_get_register(wiring->connection, CROSSVM_REG_NUM_DATAPORTS));
}

static void print_bars(FILE *out, const struct machine *machine, const struct wiring *wiring,
                       const crossvm_connection_info_t *info)
{
    uint32_t features = crossvm_get_register(wiring->connection, CROSSVM_REG_FEATURES);
    char content[96];

    (void)snprintf(content, sizeof(content), "registers%s%s", features & CROSSVM_FEATURE_PEER_PAGE ? ", peer page" : "",
                   features & CROSSVM_FEATURE_OWN_PAGE ? ", own page" : "");
    print_bar(out, machine, info, CROSSVM_BAR_EVENT, content);
    for (size_t i = 0; i < info->num_dataports; i++) {
        size_t entry = CROSSVM_REG_DATAPORT(i);

        if (wiring->base_block_only)
            (void)snprintf(content, sizeof(content), "dataport %zu, read and write", i);
        else
            (void)snprintf(content, sizeof(content), "dataport %zu, 0x%" PRIx64 " bytes, %s", i,
                           register64(wiring, entry + CROSSVM_DATAPORT_SIZE),
                           rights_text(crossvm_get_register(wiring->connection, entry + CROSSVM_DATAPORT_RIGHTS)));
        print_bar(out, machine, info, CROSSVM_BAR_DATAPORT + i, content);
    }
}

static void print_device(FILE *out, const struct machine *machine, const struct wiring *wiring)
{
    crossvm_connection_info_t info;
    uint32_t id, class, interrupt;

    crossvm_get_connection_info(wiring->connection, &info);
    id = config_read(machine, info.pci, PCI_ID, 4);
    class = config_read(machine, info.pci, PCI_CLASS, 4);
    interrupt = config_read(machine, info.pci, PCI_INTERRUPT, 2);
    (void)fprintf(out, "%s: connection %s\n", machine->vm.vm_name, info.name);
    (void)fprintf(out, "  peer        %s\n", wiring->own_seq ? "another VM" : "a host program");
    (void)fprintf(out, "  PCI         0000:%02x:%02x.%x, %04" PRIx32 ":%04" PRIx32 ", class %06" PRIx32 "\n",
                  info.pci.bus, info.pci.dev, info.pci.fun, id & 0xffff, id >> 16, class >> 8);
    (void)fprintf(out, "  interrupt   %sINT%c, input %" PRIu32 "%s\n",
                  has_capability(machine, info.pci, PCI_CAPABILITY_MSI) ? "MSI, or " : "",
                  (int)('A' + (interrupt >> 8) - 1), interrupt & 0xff, info.irq_shared ? " (shared)" : "");
    print_bars(out, machine, wiring, &info);
    print_registers(out, wiring);
}

void dump_devices(FILE *out, const struct machine *machine)
{
    for (size_t i = 0; i < machine->num_connections; i++)
        print_device(out, machine, &machine->wirings[i]);
    if (machine->num_connections == 0)
        (void)fprintf(out, "%s: no connections\n", machine->vm.vm_name);
}
