/* SPDX-License-Identifier: BSD-2-Clause */
/* What only an arm64 guest of libsel4vm on Linux KVM has: registers in memory, and a device tree. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libfdt.h>

#include <pci/helper.h>
#include <sel4vm/guest_ram.h>
#include <sel4vmmplatsupport/drivers/pci_helper.h>
#include <utils/util.h>

#include "../kvm_fixture.h"
#include "../kvm_platform.h"

#define BIG_RAM (32ul << 20)
#define TREE (KVM_RAM_BASE + BIG_RAM - 65536)
#define TREE_SIZE 65536
#define IMAGE_MAGIC 0x644d5241

static uint8_t tree[TREE_SIZE];
static vmm_pci_space_t *pci;
static char kernel_path[32], initramfs_path[32];

/* --- files --- */

/* A file of so many bytes that starts with what is given. */
static void make_file(char path[32], const void *start, size_t start_size, size_t size)
{
    int fd = memfd_create("file", 0);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(pwrite(fd, start, start_size, 0), start_size);
    (void)snprintf(path, 32, "/proc/self/fd/%d", fd);
}

static void remove_file(const char *path)
{
    int fd;

    assert_int_equal(sscanf(path, "/proc/self/fd/%d", &fd), 1);
    close(fd);
}

static void make_kernel(void)
{
    uint64_t header[8] = {0};

    header[1] = htole64(0x80000);
    header[2] = htole64(1 << 20);
    header[7] = htole64(IMAGE_MAGIC);
    make_file(kernel_path, header, sizeof(header), 1 << 16);
}

/* --- booting --- */

/* A function whose pin goes to an input. */
static void add_function(uint8_t pin, uint8_t line)
{
    static vmm_pci_device_def_t headers[4];
    static size_t used;
    vmm_pci_device_def_t *header = &headers[used++ % 4];
    vmm_pci_entry_t entry = {.cookie = header, .ioread = vmm_pci_mem_device_read, .iowrite = vmm_pci_mem_device_write};

    *header = (vmm_pci_device_def_t){.vendor_id = 0x1af4, .interrupt_pin = pin, .interrupt_line = line};
    assert_int_equal(vmm_pci_add_entry(pci, entry, NULL), 0);
}

static int boot(const char *initramfs)
{
    kvm_linux_t linux_image = {.kernel = kernel_path, .initramfs = initramfs, .command_line = "quiet", .pci = pci};

    return kvm_boot_linux(&vm, &linux_image);
}

static int copy_out(vm_t *its_vm, uintptr_t address, void *memory, size_t size, size_t offset, void *cookie)
{
    (void)its_vm;
    (void)address;
    memcpy((uint8_t *)cookie + offset, memory, size);
    return 0;
}

static void boot_with_tree(const char *initramfs)
{
    assert_int_equal(vm_ram_register_at(&vm, KVM_RAM_BASE, BIG_RAM, false), 0);
    assert_int_equal(vmm_pci_init(&pci), 0);
    add_function(1, 70);
    add_function(3, 71);
    make_kernel();
    assert_int_equal(boot(initramfs), 0);
    remove_file(kernel_path);
    kvm_pci_free(pci);
    assert_int_equal(vm.entry, KVM_RAM_BASE + 0x80000);
    assert_int_equal(vm_ram_touch(&vm, TREE, TREE_SIZE, copy_out, tree), 0);
}

static const void *property(const char *path, const char *name, int size)
{
    int length;
    const void *value = fdt_getprop(tree, fdt_path_offset(tree, path), name, &length);

    assert_non_null(value);
    assert_int_equal(length, size);
    return value;
}

static uint64_t wide(const char *path, const char *name, int size, int i)
{
    return fdt64_ld((const fdt64_t *)property(path, name, size) + i);
}

static uint32_t cell(const char *path, const char *name, int size, int i)
{
    return fdt32_ld((const fdt32_t *)property(path, name, size) + i);
}

/* --- the device tree --- */

#define GIC "/interrupt-controller@8000000"
#define ITS GIC "/msi-controller@8080000"
#define PCI "/pcie@10000000"

static void the_tree_describes_the_machine(void **state)
{
    (void)state;
    boot_with_tree(NULL);
    assert_int_equal(fdt_check_full(tree, TREE_SIZE), 0);
    assert_int_equal(wide("/memory@40000000", "reg", 16, 0), KVM_RAM_BASE);
    assert_int_equal(wide("/memory@40000000", "reg", 16, 1), BIG_RAM);
    assert_string_equal(property("/cpus/cpu@0", "enable-method", 5), "psci");
    assert_string_equal(property("/psci", "method", 4), "hvc");
    assert_string_equal(property("/chosen", "bootargs", 6), "quiet");
    assert_non_null(property("/chosen", "rng-seed", 64));
    assert_null(fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), "linux,initrd-start", NULL));
    assert_string_equal(property("serial0", "compatible", 9), "ns16550a");
    assert_int_equal(cell("serial0", "interrupts", 12, 1), 33 - 32);
}

static void pins_go_to_their_inputs_and_free_ones_to_the_last(void **state)
{
    size_t entry = 10;

    (void)state;
    boot_with_tree(NULL);
    for (int i = 0; i < 32 * 4; i++) {
        const fdt32_t *map = (const fdt32_t *)property(PCI, "interrupt-map", 32 * 4 * 40) + (size_t)i * entry;
        int dev = i / 4, pin = i % 4 + 1;
        uint32_t line = dev == 1 && pin == 1 ? 70 : dev == 2 && pin == 3 ? 71 : KVM_LAST_IRQ;

        assert_int_equal(fdt32_ld(&map[0]), dev << 11);
        assert_int_equal(fdt32_ld(&map[3]), pin);
        assert_int_equal(fdt32_ld(&map[4]), cell(GIC, "phandle", 4, 0));
        assert_int_equal(fdt32_ld(&map[8]), line - 32);
        assert_int_equal(fdt32_ld(&map[9]), 4); /* a high level */
    }
    /* Which is the number that a later device gets, once. */
    kvm_irq_allocator_use(&vm);
    assert_int_equal(kvm_irq_allocate(), KVM_LAST_IRQ);
    assert_int_equal(kvm_irq_allocate(), -1);
}

static void a_gicv3_has_an_its(void **state)
{
    (void)state;
    assert_int_equal(kvm_use_gic(3), 0);
    assert_true(kvm_msi_available(&vm));
    boot_with_tree(NULL);
    assert_string_equal(property(GIC, "compatible", 11), "arm,gic-v3");
    assert_int_equal(cell(PCI, "msi-map", 16, 1), cell(ITS, "phandle", 4, 0));
    kvm_use_gic(0);
}

static void a_gicv2_has_no_msi(void **state)
{
    (void)state;
    assert_int_equal(kvm_use_gic(4), -EINVAL);
    assert_int_equal(kvm_use_gic(2), 0);
    assert_false(kvm_msi_available(&vm));
    boot_with_tree(NULL);
    assert_string_equal(property(GIC, "compatible", 19), "arm,cortex-a15-gic");
    assert_int_equal(fdt_path_offset(tree, ITS), -FDT_ERR_NOTFOUND);
    assert_null(fdt_getprop(tree, fdt_path_offset(tree, PCI), "msi-map", NULL));
    assert_int_equal(cell("/timer", "interrupts", 48, 2), 0x104); /* one vCPU, a high level */
    kvm_use_gic(0);
}

/* --- what is loaded --- */

static void an_initramfs_lies_high(void **state)
{
    uint64_t start, end;
    char text[5] = "";

    (void)state;
    make_file(initramfs_path, "data", 4, 5000);
    boot_with_tree(initramfs_path);
    remove_file(initramfs_path);
    start = wide("/chosen", "linux,initrd-start", 8, 0);
    end = wide("/chosen", "linux,initrd-end", 8, 0);
    assert_int_equal(end - start, 5000);
    assert_true(end <= TREE);
    assert_int_equal(vm_ram_touch(&vm, start, 4, vm_guest_ram_read_callback, text), 0);
    assert_string_equal(text, "data");
}

static void ram_is_where_the_platform_has_it(void **state)
{
    (void)state;
    pci = NULL;
    make_kernel();
    assert_int_equal(boot(NULL), -EINVAL); /* no RAM */
    assert_int_equal(vm_ram_register_at(&vm, KVM_RAM_BASE - 4096, 8192, false), -1);
    assert_int_equal(lines_logged, 2);
    assert_int_equal(vm_ram_register_at(&vm, KVM_RAM_BASE, BIG_RAM, false), 0);
    make_file(initramfs_path, "data", 4, BIG_RAM);
    assert_int_equal(boot(initramfs_path), -EIO);
    assert_int_equal(lines_logged, 3);
    remove_file(initramfs_path);
    remove_file(kernel_path);
}

/* --- registers --- */

static void configuration_space_ends_after_256_bytes(void **state)
{
    (void)state;
    assert_int_equal(vmm_pci_init(&pci), 0);
    assert_int_equal(kvm_pci_attach(&vm, pci), 0);
    assert_int_equal(config_load(0, 0, 0, 4), 0x00425e14);
    assert_int_equal(config_load(0, 0, 0xfc, 4), 0);
    for (unsigned int reg = 0x100; reg < 0x1000; reg += 4) {
        config_store(0, 0, reg, 4, UINT32_MAX);
        assert_int_equal(config_load(0, 0, reg, 4), 0);
    }
    assert_int_equal(config_load(0, 0, 0, 4), 0x00425e14);
    assert_int_equal(config_load(1, 0, 0x100, 4), UINT32_MAX); /* nobody is there */
    assert_int_equal(config_load(32, 0, 0, 4), UINT32_MAX);    /* bus 1 */
    kvm_pci_free(pci);
}

static void the_serial_port_has_nothing_behind_it(void **state)
{
    (void)state;
    assert_int_equal(kvm_console_create(&vm, -1, -1), 0);
    serial_store(7, 4, 0xffffffaa);
    assert_int_equal(serial_load(7, 4), 0xaa);
    assert_int_equal(serial_load(8, 4), 0);
}

static void a_guest_ends_itself_with_a_status(void **state)
{
    uint64_t value = 1;

    (void)state;
    boot_with_tree(NULL);
    assert_int_equal(kvm_test_fault(vcpu, KVM_EXIT_REGISTER, 4, true, 0, &value), FAULT_HANDLED);
    assert_int_equal(value, 0);
    assert_int_equal(kvm_test_fault(vcpu, KVM_EXIT_REGISTER + 4, 4, false, 1, NULL), FAULT_HANDLED);
    assert_int_equal(kvm_vm_exit_status(&vm), -1);
    assert_int_equal(kvm_test_fault(vcpu, KVM_EXIT_REGISTER, 8, false, 0x12a, NULL), FAULT_HANDLED);
    assert_int_equal(kvm_vm_exit_status(&vm), 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_VM(the_tree_describes_the_machine),
        IN_VM(pins_go_to_their_inputs_and_free_ones_to_the_last),
        IN_VM(a_gicv3_has_an_its),
        IN_VM(a_gicv2_has_no_msi),
        IN_VM(an_initramfs_lies_high),
        IN_VM(ram_is_where_the_platform_has_it),
        IN_VM(configuration_space_ends_after_256_bytes),
        IN_VM(the_serial_port_has_nothing_behind_it),
        IN_VM(a_guest_ends_itself_with_a_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
