/* SPDX-License-Identifier: BSD-2-Clause */
/* Booting Linux: what is the same on all architectures. */
#include "boot.h"

#include <errno.h>
#include <string.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "arch.h"
#include "irq_input.h"
#include "ram.h"

/* --- finding out what is loaded, and where --- */

/* The initramfs goes as high as possible, since the kernel grows from below. */
static int open_initramfs(struct kvm_boot *boot, const char *path, const struct kvm_room *room)
{
    uint64_t end = MIN(room->end, boot->kernel.initramfs_end);
    uint64_t free_bytes = end > boot->kernel.end ? ROUND_DOWN(end - boot->kernel.end, PAGE_SIZE_4K) : 0;

    if (kvm_image_open(&boot->initramfs_file, path))
        return -1;
    if (boot->initramfs_file.size > free_bytes)
        return kvm_image_error(&boot->initramfs_file,
                               "it has %" PRIu64 " KiB, and the VM has room for %" PRIu64
                               " KiB beside the kernel; give the VM more memory",
                               (boot->initramfs_file.size - 1) / 1024 + 1, free_bytes / 1024);
    boot->initramfs = ROUND_DOWN(end - boot->initramfs_file.size, PAGE_SIZE_4K);
    return 0;
}

/* Opens and checks the files. Returns 0, or -1 after a line in the log. boot_close() frees, also after a failure. */
static int boot_open(struct kvm_boot *boot, const kvm_linux_t *linux_image, const struct kvm_room *room)
{
    size_t length;

    *boot = (struct kvm_boot){
        .command_line = linux_image->command_line ? linux_image->command_line : "",
        .pci = linux_image->pci,
    };
    if (!linux_image->kernel) {
        ZF_LOGE("no kernel is named");
        return -1;
    }
    if (kvm_image_open(&boot->kernel_file, linux_image->kernel) ||
        kvm_kernel_read(&boot->kernel_file, ARCH_PROCESSOR, room, &boot->kernel))
        return -1;
    length = strlen(boot->command_line);
    if (length > boot->kernel.command_line) {
        ZF_LOGE("the kernel's command line has %zu bytes, and the kernel takes at most %zu", length,
                boot->kernel.command_line);
        return -1;
    }
    return linux_image->initramfs ? open_initramfs(boot, linux_image->initramfs, room) : 0;
}

static void boot_close(struct kvm_boot *boot)
{
    kvm_image_close(&boot->kernel_file);
    kvm_image_close(&boot->initramfs_file);
}

int kvm_linux_check(const kvm_linux_t *linux_image, size_t ram_bytes)
{
    struct kvm_boot boot;
    struct kvm_room room;
    const char *objection = kvm_arch_boot_room(KVM_RAM_BASE, ram_bytes, &room);
    int error;

    if (objection) {
        ZF_LOGE("a VM with %zu KiB of memory cannot boot: %s", ram_bytes / 1024, objection);
        return -EINVAL;
    }
    error = boot_open(&boot, linux_image, &room);
    boot_close(&boot);
    return error ? -EIO : 0;
}

/* --- loading --- */

static int load_kernel(vm_t *vm, const struct kvm_boot *boot)
{
    for (size_t i = 0; i < boot->kernel.num_segments; i++) {
        const struct kvm_segment *segment = &boot->kernel.segments[i];
        uint8_t *memory = kvm_ram_pointer(vm, segment->address, segment->size);

        if (kvm_image_load(&boot->kernel_file, segment->offset, segment->file_size, vm, segment->address))
            return -1;
        memset(memory + segment->file_size, 0, segment->size - segment->file_size);
    }
    return 0;
}

static int load_initramfs(vm_t *vm, const struct kvm_boot *boot)
{
    if (boot->initramfs_file.size == 0)
        return 0;
    return kvm_image_load(&boot->initramfs_file, 0, boot->initramfs_file.size, vm, boot->initramfs);
}

static int boot_in_room(vm_t *vm, const kvm_linux_t *linux_image, const struct kvm_room *room)
{
    struct kvm_boot boot;
    int error = boot_open(&boot, linux_image, room);

    if (!error)
        error = load_kernel(vm, &boot);
    if (!error)
        error = load_initramfs(vm, &boot);
    if (!error)
        error = kvm_arch_boot(vm, &boot);
    boot_close(&boot);
    return error;
}

/* Why a VM cannot boot, or NULL after the room for a Linux was found. */
static const char *find_room(const vm_t *vm, struct kvm_room *room)
{
    const vm_ram_region_t *first = vm->mem.ram_regions;

    if (!vm->num_vcpus)
        return "it has no vCPU";
    if (!vm->mem.num_ram_regions)
        return "it has no RAM";
    if (!kvm_ram_pointer(vm, first->start, first->size))
        return "its first region of RAM is not of one piece; register it with one call";
    return kvm_arch_boot_room(first->start, first->size, room);
}

int kvm_boot_linux(vm_t *vm, const kvm_linux_t *linux_image)
{
    struct kvm_room room;
    const char *objection;
    int error = -EINVAL;

    kvm_vmm_lock();
    objection = find_room(vm, &room);
    if (objection) {
        ZF_LOGE("VM %s cannot boot: %s", vm->vm_name, objection);
    } else if (boot_in_room(vm, linux_image, &room)) {
        error = -EIO;
    } else {
        kvm_irq_allocator_booted(vm);
        error = 0;
    }
    kvm_vmm_unlock();
    return error;
}
