/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the file of a Linux kernel tells of itself: its parts, and where they go in guest physical memory.
 *
 * All formats are known on all architectures, so that a file for another one is named as such. Sizes and addresses that
 * the file states are checked against the file and the VM's RAM before the guest gets to run: a kernel of which a part
 * is missing would crash, or stop in silence.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "image.h"

#define KVM_KERNEL_MAX_SEGMENTS 64

/** The processor of a VM. */
enum kvm_processor { KVM_PROCESSOR_X86_64, KVM_PROCESSOR_ARM64 };

/** Guest physical memory that the kernel and its initramfs may take. */
struct kvm_room {
    uint64_t start;
    uint64_t end; /**< the first address beyond it */
};

/** A part of the file that is loaded. */
struct kvm_segment {
    uint64_t offset;    /**< in the file */
    uint64_t file_size; /**< bytes in the file */
    uint64_t address;   /**< guest physical */
    uint64_t size;      /**< bytes in memory; those beyond file_size are zeros */
};

struct kvm_kernel {
    struct kvm_segment segments[KVM_KERNEL_MAX_SEGMENTS];
    size_t num_segments;
    uint64_t entry;         /**< guest physical address of the first instruction */
    uint64_t end;           /**< the first address beyond all segments */
    uint64_t initramfs_end; /**< the first address that the initramfs must not reach */
    size_t command_line;    /**< the most bytes of a command line, without NUL */
    bool has_setup_header;  /**< x86: a bzImage, whose setup header the boot parameters take over */
    size_t setup_header;    /**< its bytes */
};

/** Offset of a bzImage's setup header in the file, and in the boot parameters. */
#define KVM_SETUP_HEADER_OFFSET 0x1f1

/** Where a bzImage says that the initramfs ends if it says nothing else. */
#define KVM_INITRAMFS_END_X86 0x80000000u

/**
 * Reads a kernel for a processor, and checks that all of it is there and fits into the room.
 *
 * @param room   in the VM's RAM
 * @param kernel receives what the file tells
 * @return 0, or -1 after a line in the log
 */
int kvm_kernel_read(const struct kvm_image *image, enum kvm_processor processor, const struct kvm_room *room,
                    struct kvm_kernel *kernel);

/* Parts of kvm_kernel_read(), for a file whose first bytes are of the format. They give the segments unchecked. */
int kvm_kernel_read_elf(const struct kvm_image *image, struct kvm_kernel *kernel);
int kvm_kernel_read_bzimage(const struct kvm_image *image, struct kvm_kernel *kernel);
int kvm_kernel_read_arm64(const struct kvm_image *image, const struct kvm_room *room, struct kvm_kernel *kernel);
