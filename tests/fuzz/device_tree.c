/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device tree that tells an arm64 guest of its machine, for any PCI functions, RAM, vCPUs and command line: libfdt
 * finds it whole, and what is in it is what the machine has. It is written and read on any machine.
 */
#include "fuzz.h"

#include <stdbool.h>

#include <libfdt.h>

#include <sel4vm_kvm.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>

#include "../../kvm/src/arm64/device_tree.h"
#include "../../kvm/src/arm64/gic.h"
#include "../../kvm/src/arm64/layout.h"
#include "../../kvm/src/pci_intx.h"

#define MOST_FUNCTIONS 64
#define MOST_REGIONS 4
#define MAP_CELLS 10

static uint8_t tree[LAYOUT_DEVICE_TREE_SIZE] __attribute__((aligned(8)));
static int gic_version;

/* --- in the place of gic.c, which needs an arm64 host --- */

int kvm_gic_version(const vm_t *vm)
{
    (void)vm;
    return gic_version;
}

bool kvm_gic_has_its(const vm_t *vm)
{
    (void)vm;
    return gic_version == 3;
}

/* --- what the guest reads --- */

static const void *property(const char *path, const char *name, int *length)
{
    int node = fdt_path_offset(tree, path);

    REQUIRE(node >= 0);
    return fdt_getprop(tree, node, name, length);
}

static void require_text(const char *path, const char *name, const char *text)
{
    int length;
    const char *found = property(path, name, &length);

    REQUIRE(found && length == (int)strlen(text) + 1 && memcmp(found, text, (size_t)length) == 0);
}

static void require_wide(const char *path, const char *name, uint64_t first, uint64_t second)
{
    int length;
    const fdt64_t *found = property(path, name, &length);

    REQUIRE(found && length == 16 && fdt64_ld(&found[0]) == first && fdt64_ld(&found[1]) == second);
}

static void require_routes(vmm_pci_space_t *pci)
{
    struct kvm_pci_intx intx;
    const fdt32_t *entry;
    int length;

    kvm_pci_intx_collect(pci, &intx);
    entry = property("/pcie@10000000", "interrupt-map", &length);
    REQUIRE(entry && length == KVM_PCI_DEVICES * KVM_PCI_PINS * MAP_CELLS * 4);
    for (uint32_t dev = 0; dev < KVM_PCI_DEVICES; dev++) {
        for (uint32_t pin = 0; pin < KVM_PCI_PINS; pin++, entry += MAP_CELLS) {
            uint32_t line = intx.line[dev][pin] ? intx.line[dev][pin] : KVM_LAST_IRQ;

            REQUIRE(fdt32_ld(&entry[0]) == dev << 11 && fdt32_ld(&entry[3]) == pin + 1);
            REQUIRE(fdt32_ld(&entry[8]) == line - 32 && fdt32_ld(&entry[9]) == 4);
        }
    }
}

static void require_tree(const vm_t *vm, const struct device_tree_content *content)
{
    char path[64];

    REQUIRE(fdt_check_full(tree, sizeof(tree)) == 0);
    require_text("/chosen", "bootargs", content->command_line);
    for (unsigned int i = 0; i < vm->num_vcpus; i++) {
        (void)snprintf(path, sizeof(path), "/cpus/cpu@%x", i);
        require_text(path, "enable-method", "psci");
    }
    (void)snprintf(path, sizeof(path), "/cpus/cpu@%x", vm->num_vcpus);
    REQUIRE(fdt_path_offset(tree, path) < 0);
    for (int i = 0; i < vm->mem.num_ram_regions; i++) {
        (void)snprintf(path, sizeof(path), "/memory@%lx", (unsigned long)vm->mem.ram_regions[i].start);
        require_wide(path, "reg", vm->mem.ram_regions[i].start, vm->mem.ram_regions[i].size);
    }
    if (content->initramfs.end) {
        int length;
        const fdt64_t *end = property("/chosen", "linux,initrd-end", &length);

        REQUIRE(end && length == 8 && fdt64_ld(end) == content->initramfs.end);
    }
    if (content->pci)
        require_routes(content->pci);
}

/* --- the machine --- */

static void add_functions(vmm_pci_space_t *pci, struct input *input)
{
    static vmm_pci_device_def_t headers[MOST_FUNCTIONS];
    static vmm_pci_entry_t entries[MOST_FUNCTIONS];

    for (size_t i = 0; input->left && i < MOST_FUNCTIONS; i++) {
        uint8_t where = input_byte(input);

        headers[i] = (vmm_pci_device_def_t){.interrupt_pin = (uint8_t)input_choice(input, 8),
                                            .interrupt_line = input_byte(input)};
        entries[i] = (vmm_pci_entry_t){
            .cookie = &headers[i], .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_mem_device_write};
        pci->bus0[where >> 3][where & 7] = &entries[i];
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
    static char command_line[KVM_COMMAND_LINE_MAX + 1], name[] = "fuzz";
    struct vm_ram_region regions[MOST_REGIONS];
    struct input input = {data, size};
    uint8_t what = input_byte(&input);
    size_t length = input_number(&input, 2) % sizeof(command_line);
    vmm_pci_space_t pci = {0};
    struct device_tree_content content = {.command_line = command_line, .pci = what & 1 ? &pci : NULL};
    vm_t vm = {.vm_name = name, .num_vcpus = 1 + what / 4 % CONFIG_MAX_NUM_NODES, .mem = {.ram_regions = regions}};

    kvm_log_set_sink(ignore, NULL);
    gic_version = what & 2 ? 3 : 2;
    memset(command_line, 'x', length);
    command_line[length] = '\0';
    for (uint64_t at = KVM_RAM_BASE; vm.mem.num_ram_regions < 1 + what / 64; at += 1ul << 32)
        regions[vm.mem.num_ram_regions++] =
            (struct vm_ram_region){.start = at, .size = 4096 * (1 + (size_t)input_number(&input, 3))};
    content.initramfs.end = input_number(&input, 8);
    add_functions(&pci, &input);
    REQUIRE(kvm_device_tree_write(&vm, &content, tree) == 0);
    require_tree(&vm, &content);
    return 0;
}
