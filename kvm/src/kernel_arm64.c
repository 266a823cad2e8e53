/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernels for arm64: an Image (Documentation/arch/arm64/booting.rst of Linux). */
#include <stdbool.h>
#include <string.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "kernel.h"

/** The first bytes of a kernel; little-endian, as the host is. */
struct image_header {
    uint32_t code[2];
    uint64_t text_offset; /**< from a multiple of 2 MiB */
    uint64_t image_size;  /**< with what the kernel uses before it knows of its memory */
    uint64_t flags;
    uint64_t reserved[3];
    uint32_t magic;
    uint32_t pe_offset; /**< of the header that makes it an EFI program; 0: none */
} PACKED;
_Static_assert(sizeof(struct image_header) == 64, "header of an arm64 Image");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "headers are read as they are");

#define FLAG_BIG_ENDIAN 0x1
#define FLAG_PAGE_SIZE(flags) ((flags) >> 1 & 3) /* 0: not said */
#define PAGE_SIZE_4_KIB 1

/** The beginning of a PE header (Microsoft's PE format specification). */
struct pe_header {
    char magic[4];
    uint16_t machine;
    uint16_t num_sections;
    uint32_t unused[3];
    uint16_t optional_size; /**< of what lies between this header and the sections */
    uint16_t characteristics;
} PACKED;
_Static_assert(sizeof(struct pe_header) == 24, "PE header");

struct pe_section {
    char name[8];
    uint32_t memory_size;
    uint32_t address;
    uint32_t file_size;
    uint32_t offset;
    uint8_t unused[16];
} PACKED;
_Static_assert(sizeof(struct pe_section) == 40, "PE section");

/*
 * The size in the kernel's own header counts memory that the file does not have, so only the sections of the EFI
 * program tell how long the file is.
 */
static int check_sections(const struct kvm_image *image, uint64_t pe_offset)
{
    struct pe_header pe;
    uint64_t offset;

    if (kvm_image_read(image, pe_offset, &pe, sizeof(pe)))
        return -1;
    if (memcmp(pe.magic, "PE\0\0", sizeof(pe.magic)) != 0)
        return 0;
    offset = pe_offset + sizeof(pe) + pe.optional_size;
    for (size_t i = 0; i < pe.num_sections; i++, offset += sizeof(struct pe_section)) {
        struct pe_section section;

        if (kvm_image_read(image, offset, &section, sizeof(section)) ||
            kvm_image_check_part(image, section.offset, section.file_size))
            return -1;
    }
    return 0;
}

/* The first instruction, or the second, is a branch to the code that starts the kernel: that must be there, too. */
static int check_branch(const struct kvm_image *image, const struct image_header *header)
{
    for (uint64_t i = 0; i < ARRAY_SIZE(header->code); i++) {
        uint64_t words = header->code[i] & 0x03ffffff; /* forward from the branch */

        if (header->code[i] >> 26 == 0x05 && words < 0x02000000)
            return kvm_image_check_part(image, 4 * (i + words), 4);
    }
    return 0;
}

int kvm_kernel_read_arm64(const struct kvm_image *image, const struct kvm_room *room, struct kvm_kernel *kernel)
{
    struct image_header header;
    uint64_t base = ROUND_UP(room->start, PAGE_SIZE_2M);

    if (kvm_image_read(image, 0, &header, sizeof(header)))
        return -1;
    if (header.image_size == 0)
        return kvm_image_error(image, "the kernel is older than Linux 3.17");
    if (header.flags & FLAG_BIG_ENDIAN)
        return kvm_image_error(image, "the kernel is big-endian");
    if (header.text_offset > UINT64_MAX - base)
        return kvm_image_error(image, "its header is damaged: it is to be loaded 0x%" PRIx64 " bytes from the start",
                               header.text_offset);
    if ((header.pe_offset && check_sections(image, header.pe_offset)) || check_branch(image, &header))
        return -1;
    if (FLAG_PAGE_SIZE(header.flags) > PAGE_SIZE_4_KIB)
        ZF_LOGW("%s: the kernel has pages of more than 4 KiB, so programs of the guest cannot map the device of a "
                "connection",
                image->path);
    kernel->segments[0] = (struct kvm_segment){
        .file_size = image->size,
        .address = base + header.text_offset,
        .size = MAX(header.image_size, image->size),
    };
    kernel->num_segments = 1;
    kernel->entry = kernel->segments[0].address;
    kernel->initramfs_end = room->end;
    kernel->command_line = KVM_COMMAND_LINE_MAX;
    return 0;
}
