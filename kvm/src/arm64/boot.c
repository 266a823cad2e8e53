/* SPDX-License-Identifier: BSD-2-Clause */
/* Boots Linux as its arm64 boot protocol says (Documentation/arm64/booting.rst of Linux). */
#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "../arch.h"
#include "../boot.h"
#include "../ram.h"
#include "../vm.h"
#include "device_tree.h"
#include "layout.h"
#include "vcpu_registers.h"

/* The end of the first region of RAM is kept for the device tree. */
static uint64_t device_tree_address(uint64_t start, uint64_t size)
{
    return ROUND_DOWN(start + size - LAYOUT_DEVICE_TREE_SIZE, LAYOUT_DEVICE_TREE_SIZE);
}

const char *kvm_arch_boot_room(uint64_t start, uint64_t size, struct kvm_room *room)
{
    if (size < 2 * PAGE_SIZE_2M)
        return "it has less than 4 MiB of RAM";
    *room = (struct kvm_room){.start = start, .end = device_tree_address(start, size)};
    return NULL;
}

int kvm_arch_boot(vm_t *vm, const struct kvm_boot *boot)
{
    const vm_ram_region_t *first = &vm->mem.ram_regions[0];
    uint64_t device_tree = device_tree_address(first->start, first->size);
    struct device_tree_content content = {
        .command_line = boot->command_line,
        .initramfs = {.start = boot->initramfs, .end = boot->initramfs + boot->initramfs_file.size},
        .pci = boot->pci,
    };

    if (kvm_device_tree_write(vm, &content, kvm_ram_pointer(vm, device_tree, LAYOUT_DEVICE_TREE_SIZE)))
        return -1;
    vm->entry = boot->kernel.entry;
    if (kvm_arch_vcpus_prepare(vm))
        return -1;
    return kvm_vm_is_hollow(vm) ? 0 : kvm_vcpu_enter(vm, vm->entry, device_tree);
}
