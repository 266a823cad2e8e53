/* SPDX-License-Identifier: BSD-2-Clause */
#include "acpi.h"

#include <stddef.h>
#include <string.h>

#include <utils/util.h>

#include "../arch.h"
#include "../pci_intx.h"
#include "../ram.h"
#include "aml.h"
#include "layout.h"
#include "power.h"

/* Tables of ACPI 6.4, section 5.2. All integers are little-endian. */

struct table_header {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum; /* makes the sum of all bytes 0 */
    char oem_id[6];
    char oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} PACKED;

struct root_pointer {
    char signature[8];
    uint8_t checksum; /* of the first 20 bytes */
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum; /* of all */
    uint8_t reserved[3];
} PACKED;

struct root_table {
    struct table_header header;
    uint64_t tables[2];
} PACKED;

struct generic_address {
    uint8_t space;
    uint8_t bit_width;
    uint8_t bit_offset;
    uint8_t access_size;
    uint64_t address;
} PACKED;

struct fixed_table {
    struct table_header header;
    uint32_t facs;
    uint32_t dsdt;
    uint8_t unused1[65];
    uint16_t boot_flags;
    uint8_t unused2;
    uint32_t flags;
    struct generic_address reset_register;
    uint8_t reset_value;
    uint16_t arm_boot_flags;
    uint8_t minor_revision;
    uint64_t x_facs;
    uint64_t x_dsdt;
    struct generic_address unused3[8];
    struct generic_address sleep_control;
    struct generic_address sleep_status;
    uint64_t hypervisor;
} PACKED;
_Static_assert(offsetof(struct fixed_table, boot_flags) == 109 && offsetof(struct fixed_table, x_dsdt) == 140 &&
                   sizeof(struct fixed_table) == 276,
               "layout of the FADT, revision 6");

#define FIXED_FLAG_WBINVD BIT(0)
#define FIXED_FLAG_NO_POWER_BUTTON BIT(4)
#define FIXED_FLAG_NO_SLEEP_BUTTON BIT(5)
#define FIXED_FLAG_RESET BIT(10)
#define FIXED_FLAG_REDUCED BIT(20)
#define BOOT_FLAG_NO_VGA BIT(2)
#define BOOT_FLAG_NO_CLOCK BIT(5)
#define SPACE_PORTS 1
#define ACCESS_BYTE 1

struct madt {
    struct table_header header;
    uint32_t local_controller;
    uint32_t flags;
} PACKED;

struct madt_processor {
    uint8_t type;
    uint8_t length;
    uint8_t uid;
    uint8_t apic_id;
    uint32_t flags;
} PACKED;

struct madt_ioapic {
    uint8_t type;
    uint8_t length;
    uint8_t id;
    uint8_t reserved;
    uint32_t address;
    uint32_t first_interrupt;
} PACKED;

struct madt_local_nmi {
    uint8_t type;
    uint8_t length;
    uint8_t uid;
    uint16_t flags;
    uint8_t input;
} PACKED;

#define MADT_PROCESSOR 0
#define MADT_IOAPIC 1
#define MADT_LOCAL_NMI 4
#define MADT_PROCESSOR_ENABLED 1
#define MADT_ALL_PROCESSORS 0xff

#define TABLE_ALIGNMENT 16

/** The memory of the tables, filled from the start. */
struct area {
    uint8_t *memory;
    size_t used;
    size_t size;
};

static uint8_t checksum(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;

    while (size--)
        sum = (uint8_t)(sum + *bytes++);
    return (uint8_t)-sum;
}

static void *area_next(const struct area *area)
{
    return area->memory + area->used;
}

/* Keeps `size` bytes that were written at area_next(). Returns their guest physical address. */
static uint64_t area_take(struct area *area, size_t size)
{
    uint64_t address = LAYOUT_ACPI + area->used;

    area->used = ROUND_UP(area->used + size, TABLE_ALIGNMENT);
    return address;
}

static void finish_header(struct table_header *header, const char *signature, uint8_t revision, size_t length)
{
    memcpy(header->signature, signature, sizeof(header->signature));
    header->length = (uint32_t)length;
    header->revision = revision;
    memcpy(header->oem_id, "CROSVM", sizeof(header->oem_id));
    memcpy(header->oem_table_id, "CROSSVM ", sizeof(header->oem_table_id));
    memcpy(header->creator_id, "CXVM", sizeof(header->creator_id));
    header->oem_revision = 1;
    header->creator_revision = 1;
    header->checksum = 0;
    header->checksum = checksum(header, length);
}

/* --- devices --- */

/* Each route has the device in the upper half of an address, the pin, no link device, and the input. Routes are
 * level-triggered by definition. */
static void describe_routes(struct aml *aml, vmm_pci_space_t *pci)
{
    struct kvm_pci_intx intx;
    uint8_t num = 0;
    size_t table;

    kvm_pci_intx_collect(pci, &intx);
    for (size_t i = 0; i < KVM_PCI_DEVICES * KVM_PCI_PINS; i++)
        num += intx.line[i / KVM_PCI_PINS][i % KVM_PCI_PINS] != 0;
    kvm_aml_name(aml, "_PRT");
    table = kvm_aml_begin_package(aml, num);
    for (uint32_t i = 0; i < KVM_PCI_DEVICES * KVM_PCI_PINS; i++) {
        uint8_t line = intx.line[i / KVM_PCI_PINS][i % KVM_PCI_PINS];
        size_t entry;

        if (!line)
            continue;
        entry = kvm_aml_begin_package(aml, 4);
        kvm_aml_integer(aml, i / KVM_PCI_PINS << 16 | 0xffff);
        kvm_aml_integer(aml, i % KVM_PCI_PINS);
        kvm_aml_integer(aml, 0);
        kvm_aml_integer(aml, line);
        kvm_aml_end(aml, entry);
    }
    kvm_aml_end(aml, table);
}

static void describe_pci(struct aml *aml, vmm_pci_space_t *pci)
{
    size_t device = kvm_aml_begin_device(aml, "PCI0");
    size_t resources;

    kvm_aml_name(aml, "_HID");
    kvm_aml_eisa_id(aml, "PNP0A03");
    kvm_aml_name(aml, "_UID");
    kvm_aml_integer(aml, 0);
    kvm_aml_name(aml, "_CRS");
    resources = kvm_aml_begin_resources(aml);
    kvm_aml_resource_bus_numbers(aml, 0, 0);
    kvm_aml_resource_ports(aml, 0xcf8, 8);
    kvm_aml_resource_memory_window(aml, KVM_PCI_WINDOW_BASE, KVM_PCI_WINDOW_BASE + (KVM_PCI_WINDOW_SIZE - 1));
    kvm_aml_end_resources(aml, resources);
    describe_routes(aml, pci);
    kvm_aml_end(aml, device);
}

static void describe_console(struct aml *aml)
{
    size_t device = kvm_aml_begin_device(aml, "COM1");
    size_t resources;

    kvm_aml_name(aml, "_HID");
    kvm_aml_eisa_id(aml, "PNP0501");
    kvm_aml_name(aml, "_UID");
    kvm_aml_integer(aml, 1);
    kvm_aml_name(aml, "_CRS");
    resources = kvm_aml_begin_resources(aml);
    kvm_aml_resource_ports(aml, 0x3f8, 8);
    kvm_aml_resource_edge_interrupt(aml, ARCH_CONSOLE_IRQ);
    kvm_aml_end_resources(aml, resources);
    kvm_aml_end(aml, device);
}

static void describe_power_off(struct aml *aml)
{
    size_t package;

    kvm_aml_name(aml, "_S5_");
    package = kvm_aml_begin_package(aml, 2);
    kvm_aml_integer(aml, POWER_SLEEP_TYPE_OFF);
    kvm_aml_integer(aml, 0);
    kvm_aml_end(aml, package);
}

/* --- tables --- */

static uint64_t write_dsdt(struct area *area, vmm_pci_space_t *pci)
{
    struct table_header *header = area_next(area);
    struct aml aml = {.bytes = (uint8_t *)(header + 1), .capacity = area->size - area->used - sizeof(*header)};
    size_t scope = kvm_aml_begin_scope(&aml, "_SB_");
    size_t length;

    if (pci)
        describe_pci(&aml, pci);
    describe_console(&aml);
    kvm_aml_end(&aml, scope);
    describe_power_off(&aml);
    length = kvm_aml_finish(&aml);
    if (!length)
        return 0;
    finish_header(header, "DSDT", 2, sizeof(*header) + length);
    return area_take(area, sizeof(*header) + length);
}

static struct generic_address byte_port(uint16_t port)
{
    return (struct generic_address){.space = SPACE_PORTS, .bit_width = 8, .access_size = ACCESS_BYTE, .address = port};
}

static uint64_t write_fadt(struct area *area, uint64_t dsdt)
{
    struct fixed_table *fadt = area_next(area);

    *fadt = (struct fixed_table){
        .dsdt = (uint32_t)dsdt,
        .x_dsdt = dsdt,
        .boot_flags = BOOT_FLAG_NO_VGA | BOOT_FLAG_NO_CLOCK,
        .flags = FIXED_FLAG_WBINVD | FIXED_FLAG_NO_POWER_BUTTON | FIXED_FLAG_NO_SLEEP_BUTTON | FIXED_FLAG_RESET |
                 FIXED_FLAG_REDUCED,
        .reset_register = byte_port(POWER_RESET_PORT),
        .reset_value = POWER_RESET_VALUE,
        .sleep_control = byte_port(POWER_SLEEP_CONTROL_PORT),
        .sleep_status = byte_port(POWER_SLEEP_STATUS_PORT),
    };
    finish_header(&fadt->header, "FACP", 6, sizeof(*fadt));
    return area_take(area, sizeof(*fadt));
}

static uint64_t write_madt(struct area *area, unsigned int num_cpus)
{
    struct madt *madt = area_next(area);
    struct madt_processor *cpus = (struct madt_processor *)(madt + 1);
    struct madt_ioapic *ioapic = (struct madt_ioapic *)(cpus + num_cpus);
    struct madt_local_nmi *nmi = (struct madt_local_nmi *)(ioapic + 1);
    size_t length = (size_t)((uint8_t *)(nmi + 1) - (uint8_t *)madt);

    *madt = (struct madt){.local_controller = LAYOUT_LAPIC};
    for (unsigned int i = 0; i < num_cpus; i++)
        cpus[i] = (struct madt_processor){
            .type = MADT_PROCESSOR,
            .length = sizeof(cpus[i]),
            .uid = (uint8_t)i,
            .apic_id = (uint8_t)i,
            .flags = MADT_PROCESSOR_ENABLED,
        };
    *ioapic = (struct madt_ioapic){.type = MADT_IOAPIC, .length = sizeof(*ioapic), .address = LAYOUT_IOAPIC};
    *nmi =
        (struct madt_local_nmi){.type = MADT_LOCAL_NMI, .length = sizeof(*nmi), .uid = MADT_ALL_PROCESSORS, .input = 1};
    finish_header(&madt->header, "APIC", 5, length);
    return area_take(area, length);
}

static uint64_t write_root(struct area *area, uint64_t fadt, uint64_t madt)
{
    struct root_table *table = area_next(area);
    struct root_pointer *pointer;
    uint64_t xsdt;

    *table = (struct root_table){.tables = {fadt, madt}};
    finish_header(&table->header, "XSDT", 1, sizeof(*table));
    xsdt = area_take(area, sizeof(*table));

    pointer = area_next(area);
    *pointer = (struct root_pointer){.revision = 2, .length = sizeof(*pointer), .xsdt = xsdt};
    memcpy(pointer->signature, "RSD PTR ", sizeof(pointer->signature));
    memcpy(pointer->oem_id, "CROSVM", sizeof(pointer->oem_id));
    pointer->checksum = checksum(pointer, offsetof(struct root_pointer, length));
    pointer->extended_checksum = checksum(pointer, sizeof(*pointer));
    return area_take(area, sizeof(*pointer));
}

int kvm_acpi_write(vm_t *vm, vmm_pci_space_t *pci, uint64_t *root)
{
    struct area area = {.size = LAYOUT_ACPI_END - LAYOUT_ACPI};
    uint64_t dsdt, fadt, madt;

    area.memory = kvm_ram_pointer(vm, LAYOUT_ACPI, area.size);
    if (!area.memory)
        return -1;
    dsdt = write_dsdt(&area, pci);
    if (!dsdt) {
        ZF_LOGE("VM %s: no room for the description of its devices", vm->vm_name);
        return -1;
    }
    fadt = write_fadt(&area, dsdt);
    madt = write_madt(&area, vm->num_vcpus);
    *root = write_root(&area, fadt, madt);
    return 0;
}
