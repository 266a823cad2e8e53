/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel.h"

#include <elf.h>
#include <string.h>

#include <utils/util.h>

#define HEAD_BYTES 0x210 /* has the marks of all formats */

static const struct {
    const char *name;
    const char *wanted;
} processors[] = {
    [KVM_PROCESSOR_X86_64] = {.name = "x86-64", .wanted = "give a bzImage or an ELF vmlinux"},
    [KVM_PROCESSOR_ARM64] = {.name = "arm64", .wanted = "give an uncompressed Image"},
};

enum format { FORMAT_COMPRESSED, FORMAT_ELF, FORMAT_BZIMAGE, FORMAT_ARM64 };

struct mark {
    size_t offset;
    const char *bytes;
    size_t length;
    enum format format;
    const char *compression;
};

#define MARK(at, text, its_format, by)                                                                                 \
    {                                                                                                                  \
        .offset = (at), .bytes = (text), .length = sizeof(text) - 1, .format = (its_format), .compression = (by)       \
    }

/* The first that fits counts: an EFI program that unpacks an arm64 kernel has the mark of neither. */
static const struct mark marks[] = {
    MARK(0, "\177ELF", FORMAT_ELF, NULL),
    MARK(0x38, "ARM\x64", FORMAT_ARM64, NULL),
    MARK(0x202, "HdrS", FORMAT_BZIMAGE, NULL),
    MARK(0, "MZ\0\0zimg", FORMAT_COMPRESSED, "EFI's zboot"),
    MARK(0, "\x1f\x8b", FORMAT_COMPRESSED, "gzip"),
    MARK(0, "\3757zXZ\0", FORMAT_COMPRESSED, "xz"),
    MARK(0, "\x28\xb5\x2f\xfd", FORMAT_COMPRESSED, "zstd"),
    MARK(0, "BZh", FORMAT_COMPRESSED, "bzip2"),
    MARK(0, "\x5d\0\0", FORMAT_COMPRESSED, "lzma"),
    MARK(0, "\x02\x21\x4c\x18", FORMAT_COMPRESSED, "lz4"),
    MARK(0, "\x89LZO", FORMAT_COMPRESSED, "lzop"),
};

static const struct mark *find_mark(const char head[HEAD_BYTES], size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        if (marks[i].offset + marks[i].length <= length &&
            memcmp(head + marks[i].offset, marks[i].bytes, marks[i].length) == 0)
            return &marks[i];
    }
    return NULL;
}

/* The processor that a kernel is for, or -1. */
static int processor_of(const struct mark *mark, const char head[HEAD_BYTES], size_t length)
{
    Elf64_Ehdr elf;

    if (mark->format != FORMAT_ELF)
        return mark->format == FORMAT_BZIMAGE ? KVM_PROCESSOR_X86_64 : KVM_PROCESSOR_ARM64;
    if (length < sizeof(elf))
        return -1;
    memcpy(&elf, head, sizeof(elf));
    if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB)
        return -1;
    return elf.e_machine == EM_X86_64 ? KVM_PROCESSOR_X86_64 : elf.e_machine == EM_AARCH64 ? KVM_PROCESSOR_ARM64 : -1;
}

static int read_format(const struct kvm_image *image, enum kvm_processor processor, const struct kvm_room *room,
                       struct kvm_kernel *kernel)
{
    char head[HEAD_BYTES];
    size_t length = MIN(image->size, sizeof(head));
    const struct mark *mark;
    int its_processor;

    if (kvm_image_read(image, 0, head, length))
        return -1;
    mark = find_mark(head, length);
    if (!mark)
        return kvm_image_error(image, "it is no kernel; %s", processors[processor].wanted);
    if (mark->format == FORMAT_COMPRESSED)
        return kvm_image_error(image, "it is compressed with %s; unpack it", mark->compression);
    its_processor = processor_of(mark, head, length);
    if (its_processor >= 0 && its_processor != (int)processor)
        return kvm_image_error(image, "it is a kernel for %s, and the VM has %s; %s", processors[its_processor].name,
                               processors[processor].name, processors[processor].wanted);
    if (its_processor < 0 || (mark->format == FORMAT_ELF && processor == KVM_PROCESSOR_ARM64))
        return kvm_image_error(image, "it is an ELF file that the VM cannot boot; %s", processors[processor].wanted);
    switch (mark->format) {
    case FORMAT_ELF:
        return kvm_kernel_read_elf(image, kernel);
    case FORMAT_BZIMAGE:
        return kvm_kernel_read_bzimage(image, kernel);
    default:
        return kvm_kernel_read_arm64(image, room, kernel);
    }
}

static int check_segment(const struct kvm_image *image, const struct kvm_segment *segment, const struct kvm_room *room)
{
    if (kvm_image_check_part(image, segment->offset, segment->file_size))
        return -1;
    if (segment->file_size > segment->size)
        return kvm_image_error(image,
                               "its header is damaged: a part of %" PRIu64 " bytes is to take %" PRIu64 " in memory",
                               segment->file_size, segment->size);
    if (segment->address < room->start)
        return kvm_image_error(image, "it is to be loaded at 0x%" PRIx64 ", and the VM has room for it from 0x%" PRIx64,
                               segment->address, room->start);
    if (segment->address > room->end || segment->size > room->end - segment->address)
        return kvm_image_error(image,
                               "it needs %" PRIu64 " KiB of memory from 0x%" PRIx64
                               " on, and the VM has memory for it up to 0x%" PRIx64 "; give the VM more memory",
                               (segment->size - 1) / 1024 + 1, segment->address, room->end);
    return 0;
}

int kvm_kernel_read(const struct kvm_image *image, enum kvm_processor processor, const struct kvm_room *room,
                    struct kvm_kernel *kernel)
{
    bool has_entry = false;

    *kernel = (struct kvm_kernel){0};
    if (read_format(image, processor, room, kernel))
        return -1;
    for (size_t i = 0; i < kernel->num_segments; i++) {
        const struct kvm_segment *segment = &kernel->segments[i];

        if (check_segment(image, segment, room))
            return -1;
        kernel->end = MAX(kernel->end, segment->address + segment->size);
        has_entry |= kernel->entry >= segment->address && kernel->entry - segment->address < segment->file_size;
    }
    if (!has_entry)
        return kvm_image_error(
            image, "its header is damaged: it has nothing at 0x%" PRIx64 ", where the VM is to start", kernel->entry);
    return 0;
}
