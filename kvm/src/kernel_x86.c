/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernels for x86-64: a bzImage (Documentation/arch/x86/boot.rst of Linux), or an ELF vmlinux. */
#include <elf.h>
#include <stdbool.h>
#include <string.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "kernel.h"

/* Fields of the setup header, as offsets in the file. */
#define SETUP_SECTORS 0x1f1
#define SETUP_SYSSIZE 0x1f4
#define SETUP_JUMP 0x201 /* the header ends where this jump leads to */
#define SETUP_VERSION 0x206
#define SETUP_INITRAMFS_MAX 0x22c
#define SETUP_XLOADFLAGS 0x236
#define SETUP_COMMAND_LINE_SIZE 0x238
#define SETUP_PREFERRED_ADDRESS 0x258
#define SETUP_INIT_SIZE 0x260
#define SETUP_END 0x264

#define PROTOCOL_2_12 0x020c
#define XLOADFLAG_KERNEL_64 0x1
#define SECTOR 512
#define DEFAULT_SETUP_SECTORS 4
#define PARAGRAPH 16
#define ENTRY_64_OFFSET 0x200

static uint64_t field(const uint8_t *header, size_t offset, size_t size)
{
    uint64_t value = 0;

    for (size_t i = size; i > 0; i--)
        value = value << 8 | header[offset + i - 1];
    return value;
}

int kvm_kernel_read_bzimage(const struct kvm_image *image, struct kvm_kernel *kernel)
{
    uint8_t header[SETUP_END];
    uint64_t sectors, start, address;

    if (kvm_image_read(image, 0, header, sizeof(header)))
        return -1;
    if (field(header, SETUP_VERSION, 2) < PROTOCOL_2_12)
        return kvm_image_error(image, "the kernel is older than Linux 3.8");
    if (!(field(header, SETUP_XLOADFLAGS, 2) & XLOADFLAG_KERNEL_64))
        return kvm_image_error(image, "the kernel is for 32-bit processors");

    sectors = header[SETUP_SECTORS] ? header[SETUP_SECTORS] : DEFAULT_SETUP_SECTORS;
    start = (sectors + 1) * SECTOR;
    address = field(header, SETUP_PREFERRED_ADDRESS, 8);
    kernel->segments[0] = (struct kvm_segment){
        .offset = start,
        .file_size = field(header, SETUP_SYSSIZE, 4) * PARAGRAPH,
        .address = address,
        .size = field(header, SETUP_INIT_SIZE, 4),
    };
    kernel->num_segments = 1;
    kernel->entry = address + ENTRY_64_OFFSET;
    kernel->initramfs_end = field(header, SETUP_INITRAMFS_MAX, 4) + 1;
    kernel->command_line = MIN(field(header, SETUP_COMMAND_LINE_SIZE, 4), KVM_COMMAND_LINE_MAX);
    kernel->has_setup_header = true;
    kernel->setup_header = SETUP_JUMP + 1 + (size_t)header[SETUP_JUMP] - KVM_SETUP_HEADER_OFFSET;
    return 0;
}

int kvm_kernel_read_elf(const struct kvm_image *image, struct kvm_kernel *kernel)
{
    Elf64_Phdr segments[KVM_KERNEL_MAX_SEGMENTS];
    Elf64_Ehdr header;

    if (kvm_image_read(image, 0, &header, sizeof(header)))
        return -1;
    if (header.e_phentsize != sizeof(segments[0]) || header.e_phnum > KVM_KERNEL_MAX_SEGMENTS)
        return kvm_image_error(image, "its header is damaged: it tells of %u segments of %u bytes each", header.e_phnum,
                               header.e_phentsize);
    if (kvm_image_read(image, header.e_phoff, segments, header.e_phnum * sizeof(segments[0])))
        return -1;
    /* Sections are not loaded, but a file that ends before them has lost something. */
    if (header.e_shnum && kvm_image_check_part(image, header.e_shoff, (uint64_t)header.e_shnum * header.e_shentsize))
        return -1;
    for (size_t i = 0; i < header.e_phnum; i++) {
        if (segments[i].p_type == PT_LOAD && segments[i].p_memsz)
            kernel->segments[kernel->num_segments++] = (struct kvm_segment){
                .offset = segments[i].p_offset,
                .file_size = segments[i].p_filesz,
                .address = segments[i].p_paddr,
                .size = segments[i].p_memsz,
            };
    }
    kernel->entry = header.e_entry;
    kernel->initramfs_end = KVM_INITRAMFS_END_X86;
    kernel->command_line = KVM_COMMAND_LINE_MAX;
    return 0;
}
