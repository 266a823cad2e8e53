/* SPDX-License-Identifier: BSD-2-Clause */
#include "device_tree.h"

#include <libfdt.h>
#include <stdio.h>
#include <sys/random.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "../arch.h"
#include "../pci_intx.h"
#include "fdt_writer.h"
#include "gic.h"
#include "layout.h"

/* Numbers by which nodes refer to each other. */
#define PHANDLE_GIC 1
#define PHANDLE_ITS 2

/* Values in an interrupt's cells, from the GIC's binding. */
#define GIC_SHARED 0
#define GIC_PRIVATE 1
#define GIC_LEVEL_HIGH 4
#define GIC_CPU_MASK_SHIFT 8 /* GICv2: which vCPUs have the private interrupt */

#define SEED_BYTES 64
#define CONSOLE_CLOCK 1843200 /* a 16550's usual one; nothing depends on it here */

static void describe_chosen(struct kvm_fdt *tree, const struct device_tree_content *content)
{
    uint8_t seed[SEED_BYTES];

    kvm_fdt_begin_node(tree, "chosen");
    kvm_fdt_string(tree, "bootargs", content->command_line);
    kvm_fdt_string(tree, "stdout-path", "serial0");
    if (content->initramfs.end) {
        FDT_WIDE(tree, "linux,initrd-start", content->initramfs.start);
        FDT_WIDE(tree, "linux,initrd-end", content->initramfs.end);
    }
    /* Random bytes, so that the guest's own random numbers are ready at once. */
    if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed))
        kvm_fdt_bytes(tree, "rng-seed", seed, sizeof(seed));
    kvm_fdt_end_node(tree);
}

static void describe_memory(struct kvm_fdt *tree, const vm_t *vm)
{
    for (int i = 0; i < vm->mem.num_ram_regions; i++) {
        const vm_ram_region_t *region = &vm->mem.ram_regions[i];

        kvm_fdt_begin_node_at(tree, "memory", region->start);
        kvm_fdt_string(tree, "device_type", "memory");
        FDT_WIDE(tree, "reg", region->start, region->size);
        kvm_fdt_end_node(tree);
    }
}

static void describe_cpus(struct kvm_fdt *tree, const vm_t *vm)
{
    kvm_fdt_begin_node(tree, "cpus");
    kvm_fdt_cell(tree, "#address-cells", 1);
    kvm_fdt_cell(tree, "#size-cells", 0);
    for (unsigned int i = 0; i < vm->num_vcpus; i++) {
        kvm_fdt_begin_node_at(tree, "cpu", i);
        kvm_fdt_string(tree, "device_type", "cpu");
        kvm_fdt_string(tree, "compatible", "arm,armv8");
        kvm_fdt_cell(tree, "reg", i); /* the affinity, whose level 0 alone counts up to 16 vCPUs in KVM */
        kvm_fdt_string(tree, "enable-method", "psci");
        kvm_fdt_end_node(tree);
    }
    kvm_fdt_end_node(tree);

    kvm_fdt_begin_node(tree, "psci");
    kvm_fdt_bytes(tree, "compatible", "arm,psci-1.0\0arm,psci-0.2", sizeof("arm,psci-1.0\0arm,psci-0.2"));
    kvm_fdt_string(tree, "method", "hvc");
    kvm_fdt_end_node(tree);
}
_Static_assert(CONFIG_MAX_NUM_NODES <= 16, "more than 16 vCPUs need affinity level 1, too");

static void describe_timer(struct kvm_fdt *tree, const vm_t *vm)
{
    uint32_t flags = GIC_LEVEL_HIGH;

    if (kvm_gic_version(vm) == 2)
        flags |= (uint32_t)MASK(vm->num_vcpus) << GIC_CPU_MASK_SHIFT;
    kvm_fdt_begin_node(tree, "timer");
    kvm_fdt_string(tree, "compatible", "arm,armv8-timer");
    kvm_fdt_flag(tree, "always-on");
    FDT_CELLS(tree, "interrupts", GIC_PRIVATE, LAYOUT_PPI_TIMER_SECURE, flags, GIC_PRIVATE, LAYOUT_PPI_TIMER_PHYSICAL,
              flags, GIC_PRIVATE, LAYOUT_PPI_TIMER_VIRTUAL, flags, GIC_PRIVATE, LAYOUT_PPI_TIMER_HYPERVISOR, flags);
    kvm_fdt_end_node(tree);
}

static void describe_its(struct kvm_fdt *tree)
{
    kvm_fdt_begin_node_at(tree, "msi-controller", LAYOUT_GIC_ITS);
    kvm_fdt_string(tree, "compatible", "arm,gic-v3-its");
    kvm_fdt_flag(tree, "msi-controller");
    kvm_fdt_cell(tree, "#msi-cells", 1);
    FDT_WIDE(tree, "reg", LAYOUT_GIC_ITS, LAYOUT_GIC_ITS_SIZE);
    kvm_fdt_cell(tree, "phandle", PHANDLE_ITS);
    kvm_fdt_end_node(tree);
}

static void describe_gic(struct kvm_fdt *tree, const vm_t *vm)
{
    kvm_fdt_begin_node_at(tree, "interrupt-controller", LAYOUT_GIC_DISTRIBUTOR);
    kvm_fdt_flag(tree, "interrupt-controller");
    kvm_fdt_cell(tree, "#interrupt-cells", 3);
    kvm_fdt_cell(tree, "#address-cells", 2);
    kvm_fdt_cell(tree, "#size-cells", 2);
    kvm_fdt_flag(tree, "ranges");
    kvm_fdt_cell(tree, "phandle", PHANDLE_GIC);
    if (kvm_gic_version(vm) == 2) {
        kvm_fdt_string(tree, "compatible", "arm,cortex-a15-gic");
        FDT_WIDE(tree, "reg", LAYOUT_GIC_DISTRIBUTOR, LAYOUT_GIC_DISTRIBUTOR_SIZE, LAYOUT_GIC_CPU, LAYOUT_GIC_CPU_SIZE);
    } else {
        kvm_fdt_string(tree, "compatible", "arm,gic-v3");
        FDT_WIDE(tree, "reg", LAYOUT_GIC_DISTRIBUTOR, LAYOUT_GIC_DISTRIBUTOR_SIZE, LAYOUT_GIC_REDISTRIBUTORS,
                 LAYOUT_GIC_REDISTRIBUTOR_SIZE * vm->num_vcpus);
    }
    if (kvm_gic_has_its(vm))
        describe_its(tree);
    kvm_fdt_end_node(tree);
}

static void describe_console(struct kvm_fdt *tree)
{
    kvm_fdt_begin_node_at(tree, "serial", LAYOUT_CONSOLE);
    kvm_fdt_string(tree, "compatible", "ns16550a");
    FDT_WIDE(tree, "reg", LAYOUT_CONSOLE, LAYOUT_CONSOLE_SIZE);
    kvm_fdt_cell(tree, "clock-frequency", CONSOLE_CLOCK);
    FDT_CELLS(tree, "interrupts", GIC_SHARED, ARCH_CONSOLE_IRQ - LAYOUT_FIRST_SPI, GIC_LEVEL_HIGH);
    kvm_fdt_end_node(tree);
}

/* --- PCI --- */

#define PCI_SPACE_MEMORY_32 0x02000000u
#define PCI_DEVICE_MASK 0xf800u
#define PCI_DEVICE_SHIFT 11
#define PCI_PIN_MASK 7u

/* Cells of an entry: PCI address (3), pin, controller, its address (2), interrupt (3). */
#define MAP_CELLS 10

/*
 * Each pin of each device has an entry, so that INTx of a device that comes later works, too. A pin that is not used
 * yet goes to the input that kvm_irq_allocate() returns for such devices.
 */
static void describe_intx(struct kvm_fdt *tree, vmm_pci_space_t *pci)
{
    uint32_t map[KVM_PCI_DEVICES][KVM_PCI_PINS][MAP_CELLS] = {0};
    struct kvm_pci_intx intx;

    kvm_pci_intx_collect(pci, &intx);
    for (uint32_t dev = 0; dev < KVM_PCI_DEVICES; dev++) {
        for (uint32_t pin = 0; pin < KVM_PCI_PINS; pin++) {
            uint32_t *entry = map[dev][pin];
            uint32_t irq = intx.line[dev][pin] ? intx.line[dev][pin] : LAYOUT_LATE_PCI_IRQ;

            entry[0] = dev << PCI_DEVICE_SHIFT;
            entry[3] = pin + 1;
            entry[4] = PHANDLE_GIC;
            entry[7] = GIC_SHARED;
            entry[8] = irq - LAYOUT_FIRST_SPI;
            entry[9] = GIC_LEVEL_HIGH;
        }
    }
    kvm_fdt_cell(tree, "#interrupt-cells", 1);
    FDT_CELLS(tree, "interrupt-map-mask", PCI_DEVICE_MASK, 0, 0, PCI_PIN_MASK);
    kvm_fdt_cells(tree, "interrupt-map", &map[0][0][0], sizeof(map) / sizeof(uint32_t));
}

static void describe_pci(struct kvm_fdt *tree, const vm_t *vm, vmm_pci_space_t *pci)
{
    kvm_fdt_begin_node_at(tree, "pcie", LAYOUT_ECAM);
    kvm_fdt_string(tree, "compatible", "pci-host-ecam-generic");
    kvm_fdt_string(tree, "device_type", "pci");
    kvm_fdt_cell(tree, "#address-cells", 3);
    kvm_fdt_cell(tree, "#size-cells", 2);
    FDT_CELLS(tree, "bus-range", 0, 0);
    FDT_WIDE(tree, "reg", LAYOUT_ECAM, LAYOUT_ECAM_SIZE);
    FDT_CELLS(tree, "ranges", PCI_SPACE_MEMORY_32, 0, KVM_PCI_WINDOW_BASE, 0, KVM_PCI_WINDOW_BASE, 0,
              KVM_PCI_WINDOW_SIZE);
    describe_intx(tree, pci);
    /* The ITS knows a device by its bus, device and function. */
    if (kvm_gic_has_its(vm))
        FDT_CELLS(tree, "msi-map", 0, PHANDLE_ITS, 0, 0x10000);
    kvm_fdt_end_node(tree);
}

/* --- all --- */

static void describe_aliases(struct kvm_fdt *tree)
{
    char path[32];

    (void)snprintf(path, sizeof(path), "/serial@%lx", LAYOUT_CONSOLE);
    kvm_fdt_begin_node(tree, "aliases");
    kvm_fdt_string(tree, "serial0", path);
    kvm_fdt_end_node(tree);
}

int kvm_device_tree_write(vm_t *vm, const struct device_tree_content *content, void *memory)
{
    struct kvm_fdt tree;
    int error;

    kvm_fdt_begin(&tree, memory, LAYOUT_DEVICE_TREE_SIZE);
    kvm_fdt_begin_node(&tree, "");
    kvm_fdt_string(&tree, "compatible", "linux,dummy-virt");
    kvm_fdt_string(&tree, "model", "crossvm");
    kvm_fdt_cell(&tree, "#address-cells", 2);
    kvm_fdt_cell(&tree, "#size-cells", 2);
    kvm_fdt_cell(&tree, "interrupt-parent", PHANDLE_GIC);
    describe_aliases(&tree);
    describe_chosen(&tree, content);
    describe_memory(&tree, vm);
    describe_cpus(&tree, vm);
    describe_timer(&tree, vm);
    describe_gic(&tree, vm);
    describe_console(&tree);
    if (content->pci)
        describe_pci(&tree, vm, content->pci);
    kvm_fdt_end_node(&tree);
    error = kvm_fdt_finish(&tree);
    if (!error)
        return 0;
    ZF_LOGE("VM %s: cannot write its device tree: %s", vm->vm_name, fdt_strerror(error));
    return -1;
}
