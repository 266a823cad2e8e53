/* SPDX-License-Identifier: BSD-2-Clause */
/* Boots Linux as its arm64 boot protocol says (Documentation/arm64/booting.rst of Linux). */
#include <endian.h>
#include <string.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "../arch.h"
#include "../image.h"
#include "../ram.h"
#include "../vm.h"
#include "device_tree.h"
#include "layout.h"
#include "vcpu_registers.h"

/** The first bytes of a kernel; little-endian. */
struct image_header {
    uint32_t code[2];
    uint64_t text_offset; /**< from a multiple of 2 MiB */
    uint64_t image_size;  /**< with what it uses before it knows of its memory */
    uint64_t flags;
    uint64_t reserved[3];
    uint32_t magic;
    uint32_t pe_offset;
} PACKED;
_Static_assert(sizeof(struct image_header) == 64, "header of an arm64 Image");

#define IMAGE_MAGIC 0x644d5241 /* "ARM\x64" */
#define IMAGE_BIG_ENDIAN BIT(0)
#define GZIP_MAGIC 0x8b1f
#define COMMAND_LINE_SIZE 2048 /* that arm64 kernels take */

/** The region of RAM that all goes to, and what is taken of it. */
struct room {
    uint64_t start; /**< first free byte */
    uint64_t end;   /**< behind the last */
};

static const char *header_objection(const struct image_header *header)
{
    if ((le32toh(header->code[0]) & 0xffff) == GZIP_MAGIC)
        return "it is compressed with gzip; unpack it";
    if (le32toh(header->magic) != IMAGE_MAGIC)
        return "it is no arm64 kernel image (a file that is called Image, or vmlinuz by Debian)";
    if (le64toh(header->image_size) == 0)
        return "the kernel is older than Linux 3.17";
    if (le64toh(header->flags) & IMAGE_BIG_ENDIAN)
        return "the kernel is big-endian";
    return NULL;
}

static int place_kernel(const struct kvm_image *image, vm_t *vm, struct room *room, uint64_t *entry)
{
    struct image_header header;
    const char *objection;
    uint64_t start, needed;

    if (kvm_image_read(image, 0, &header, sizeof(header)))
        return -1;
    objection = header_objection(&header);
    if (objection)
        return kvm_image_error(image, "%s", objection);
    needed = MAX(le64toh(header.image_size), image->size);
    start = ROUND_UP(room->start, PAGE_SIZE_2M) + le64toh(header.text_offset);
    if (start < room->start || start > room->end || needed > room->end - start)
        return kvm_image_error(image, "it needs %" PRIu64 " bytes, which the VM has not; give it more memory", needed);
    if (kvm_image_load(image, 0, image->size, vm, start))
        return -1;
    *entry = start;
    room->start = start + needed;
    return 0;
}

static int load_kernel(const char *path, vm_t *vm, struct room *room, uint64_t *entry)
{
    struct kvm_image image;
    int error;

    if (kvm_image_open(&image, path))
        return -1;
    error = place_kernel(&image, vm, room, entry);
    kvm_image_close(&image);
    return error;
}

/* As high as there is room, so that it is in nobody's way. */
static int load_initramfs(const char *path, vm_t *vm, struct room *room, struct device_tree_initramfs *initramfs)
{
    struct kvm_image image;
    int error = -1;

    if (kvm_image_open(&image, path))
        return -1;
    if (image.size > ROUND_DOWN(room->end - room->start, PAGE_SIZE_4K)) {
        kvm_image_error(&image, "%" PRIu64 " bytes do not fit into the VM's RAM beside the kernel; give it more memory",
                        image.size);
    } else {
        initramfs->start = ROUND_DOWN(room->end - image.size, PAGE_SIZE_4K);
        initramfs->end = initramfs->start + image.size;
        error = kvm_image_load(&image, 0, image.size, vm, initramfs->start);
    }
    kvm_image_close(&image);
    return error;
}

/* The end of the first region of RAM is kept for the device tree. */
static int find_room(const vm_t *vm, struct room *room, uint64_t *device_tree)
{
    const vm_ram_region_t *first = vm->mem.num_ram_regions ? &vm->mem.ram_regions[0] : NULL;

    if (!first || first->size < 2 * PAGE_SIZE_2M) {
        ZF_LOGE("VM %s cannot boot: it has no RAM, or less than 4 MiB", vm->vm_name);
        return -1;
    }
    *device_tree = ROUND_DOWN(first->start + first->size - LAYOUT_DEVICE_TREE_SIZE, LAYOUT_DEVICE_TREE_SIZE);
    *room = (struct room){.start = first->start, .end = *device_tree};
    return 0;
}

int kvm_arch_boot_linux(vm_t *vm, const kvm_linux_t *linux_image)
{
    struct device_tree_content content = {
        .command_line = linux_image->command_line ? linux_image->command_line : "",
        .pci = linux_image->pci,
    };
    uint64_t entry = 0, device_tree;
    struct room room;

    if (strlen(content.command_line) >= COMMAND_LINE_SIZE) {
        ZF_LOGE("VM %s: its kernel's command line has %zu bytes, and at most %d fit", vm->vm_name,
                strlen(content.command_line), COMMAND_LINE_SIZE - 1);
        return -1;
    }
    if (find_room(vm, &room, &device_tree) || load_kernel(linux_image->kernel, vm, &room, &entry))
        return -1;
    if (linux_image->initramfs && load_initramfs(linux_image->initramfs, vm, &room, &content.initramfs))
        return -1;
    if (kvm_device_tree_write(vm, &content, kvm_ram_pointer(vm, device_tree, LAYOUT_DEVICE_TREE_SIZE)))
        return -1;
    vm->entry = entry;
    if (kvm_arch_vcpus_prepare(vm))
        return -1;
    return kvm_vm_is_hollow(vm) ? 0 : kvm_vcpu_enter(vm, entry, device_tree);
}
