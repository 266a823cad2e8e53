/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables that tell an x86 guest of its machine, for any PCI functions and up to all vCPUs: each has its length and
 * checksum, blocks of AML lie in each other, and each pin that is used is routed to its input, once.
 */
#include "fuzz.h"

#include <stdbool.h>

#include <sel4vm/boot.h>
#include <sel4vm/guest_ram.h>
#include <sel4vm_kvm.h>
#include <sel4vm_kvm_test.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>

#include "../../kvm/src/pci_intx.h"
#include "../../kvm/src/ram.h"
#include "../../kvm/src/x86/acpi.h"

#define RAM_BYTES (1u << 20)
#define HEADER_BYTES 36
#define MOST_FUNCTIONS (KVM_PCI_DEVICES * 8)

static const uint8_t *ram;
static vmm_pci_device_def_t headers[MOST_FUNCTIONS];
static uint8_t routes[KVM_PCI_DEVICES][KVM_PCI_PINS]; /* that were found */

static uint64_t number(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, at, bytes);
    return value;
}

static uint8_t sum(const uint8_t *bytes, size_t size)
{
    uint8_t all = 0;

    while (size--)
        all = (uint8_t)(all + *bytes++);
    return all;
}

static const uint8_t *table(uint64_t address, const char *signature)
{
    const uint8_t *bytes = ram + address;
    uint32_t length;

    REQUIRE(address < RAM_BYTES - HEADER_BYTES && address % 16 == 0 && memcmp(bytes, signature, 4) == 0);
    length = (uint32_t)number(bytes + 4, 4);
    REQUIRE(length >= HEADER_BYTES && length <= RAM_BYTES - address && sum(bytes, length) == 0);
    return bytes;
}

/* --- AML: of its byte codes those that are written --- */

static const uint8_t *skip_object(const uint8_t *at, const uint8_t *end, bool in_package);

/* The end of a block whose length is at `at`, and where its content begins. */
static const uint8_t *block(const uint8_t **at, const uint8_t *end)
{
    unsigned int bytes = **at >> 6;
    size_t length = bytes ? **at & 0xfu : **at & 0x3fu;
    const uint8_t *begin = *at;

    REQUIRE((size_t)(end - begin) > bytes);
    for (unsigned int i = 0; i < bytes; i++)
        length |= (size_t)begin[1 + i] << (4 + 8 * i);
    REQUIRE(length > bytes && length <= (size_t)(end - begin));
    *at = begin + 1 + bytes;
    return begin + length;
}

static const uint8_t *integer(const uint8_t *at, const uint8_t *end, uint32_t *value)
{
    size_t bytes = *at == 0x0a ? 1 : *at == 0x0b ? 2 : *at == 0x0c ? 4 : 0;

    REQUIRE(at < end && (bytes || *at <= 1) && (size_t)(end - at) > bytes);
    *value = bytes ? (uint32_t)number(at + 1, bytes) : *at;
    return at + 1 + bytes;
}

/* A route: device, pin, no link device, input. */
static void take_route(const uint8_t *at, const uint8_t *end)
{
    uint32_t values[4];

    for (int i = 0; i < 4; i++)
        at = integer(at, end, &values[i]);
    REQUIRE(at == end && (values[0] & 0xffff) == 0xffff && values[0] >> 16 < KVM_PCI_DEVICES);
    REQUIRE(values[1] < KVM_PCI_PINS && values[2] == 0 && values[3] && values[3] <= UINT8_MAX);
    REQUIRE(!routes[values[0] >> 16][values[1]]);
    routes[values[0] >> 16][values[1]] = (uint8_t)values[3];
}

static void walk(const uint8_t *at, const uint8_t *end)
{
    while (at < end)
        at = skip_object(at, end, false);
    REQUIRE(at == end);
}

static const uint8_t *skip_package(const uint8_t *at, const uint8_t *end, bool in_package)
{
    const uint8_t *last = block(&at, end);
    unsigned int elements = *at++, found = 0;

    if (in_package) { /* those of _PRT have packages alone */
        REQUIRE(elements == 4);
        take_route(at, last);
        return last;
    }
    for (; at < last; found++)
        at = skip_object(at, last, true);
    REQUIRE(at == last && found == elements);
    return last;
}

static const uint8_t *skip_buffer(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *last = block(&at, end);
    uint32_t bytes;

    at = integer(at, last, &bytes);
    REQUIRE(bytes == (size_t)(last - at) && bytes >= 2 && last[-2] == 0x79);
    return last;
}

static const uint8_t *skip_object(const uint8_t *at, const uint8_t *end, bool in_package)
{
    const uint8_t *last;
    uint32_t value;

    switch (*at) {
    case 0x08: /* a name, and what it is the name of */
        REQUIRE(end - at > 5);
        return skip_object(at + 5, end, in_package);
    case 0x10: /* a scope */
        at++;
        last = block(&at, end);
        REQUIRE(*at == '\\' && last - at >= 5);
        walk(at + 5, last);
        return last;
    case 0x11:
        return skip_buffer(at + 1, end);
    case 0x12:
        return skip_package(at + 1, end, in_package);
    case 0x5b: /* a device */
        REQUIRE(at[1] == 0x82);
        at += 2;
        last = block(&at, end);
        REQUIRE(last - at >= 4);
        walk(at + 4, last);
        return last;
    default:
        return integer(at, end, &value);
    }
}

/* --- all tables --- */

static void require_processors(const uint8_t *madt, unsigned int vcpus)
{
    size_t length = number(madt + 4, 4), at = HEADER_BYTES + 8;
    unsigned int found = 0;

    for (; at < length; at += madt[at + 1]) {
        REQUIRE(madt[at + 1] >= 2 && madt[at + 1] <= length - at);
        if (madt[at] == 0)
            REQUIRE(madt[at + 3] == found++);
    }
    REQUIRE(at == length && found == vcpus);
}

static void require_tables(uint64_t root, unsigned int vcpus)
{
    const uint8_t *pointer = ram + root, *xsdt, *fadt, *dsdt;

    REQUIRE(root >= 0xe0000 && root % 16 == 0 && root <= 0xff000 - 36); /* where a guest looks for it */
    REQUIRE(memcmp(pointer, "RSD PTR ", 8) == 0 && sum(pointer, 20) == 0 && sum(pointer, 36) == 0);
    xsdt = table(number(pointer + 24, 8), "XSDT");
    REQUIRE(number(xsdt + 4, 4) == HEADER_BYTES + 2 * 8);
    fadt = table(number(xsdt + HEADER_BYTES, 8), "FACP");
    require_processors(table(number(xsdt + HEADER_BYTES + 8, 8), "APIC"), vcpus);
    dsdt = table(number(fadt + 140, 8), "DSDT");
    memset(routes, 0, sizeof(routes));
    walk(dsdt + HEADER_BYTES, dsdt + number(dsdt + 4, 4));
}

/* --- the machine --- */

static void add_functions(vmm_pci_space_t *pci, struct input *input)
{
    for (size_t i = 0; input->left && i < MOST_FUNCTIONS; i++) {
        uint8_t where = input_byte(input), fun = input_choice(input, 8), dev = where % KVM_PCI_DEVICES;
        vmm_pci_entry_t *entry;

        headers[i] = (vmm_pci_device_def_t){.interrupt_pin = (uint8_t)input_choice(input, 8),
                                            .interrupt_line = input_byte(input)};
        if (pci->bus0[dev][fun])
            continue;
        entry = calloc(1, sizeof(*entry));
        REQUIRE(entry);
        *entry = (vmm_pci_entry_t){
            .cookie = &headers[i], .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_mem_device_write};
        pci->bus0[dev][fun] = entry;
    }
}

static void ignore(int level, const char *line, void *cookie)
{
    (void)level;
    (void)line;
    (void)cookie;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    unsigned int vcpus = 1 + input_choice(&input, CONFIG_MAX_NUM_NODES);
    bool has_pci = input_byte(&input) & 1;
    struct kvm_pci_intx intx = {0};
    vmm_pci_space_t *pci;
    uint64_t root = 0;
    vm_t vm;

    (void)kvm_use_backend_none();
    kvm_log_set_sink(ignore, NULL);
    REQUIRE(vm_init(&vm, NULL, NULL, (vspace_t){0}, NULL, seL4_CapNull, "fuzz") == 0);
    for (unsigned int i = 0; i < vcpus; i++)
        REQUIRE(vm_create_vcpu(&vm, 0));
    REQUIRE(vm_ram_register_at(&vm, KVM_RAM_BASE, RAM_BYTES, false) == 0 && vmm_pci_init(&pci) == 0);
    ram = kvm_ram_pointer(&vm, KVM_RAM_BASE, RAM_BYTES);
    add_functions(pci, &input);
    REQUIRE(kvm_acpi_write(&vm, has_pci ? pci : NULL, &root) == 0);
    require_tables(root, vcpus);
    if (has_pci)
        kvm_pci_intx_collect(pci, &intx);
    REQUIRE(memcmp(routes, intx.line, sizeof(routes)) == 0);
    kvm_vm_destroy(&vm);
    kvm_pci_free(pci);
    return 0;
}
