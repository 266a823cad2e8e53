/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are loaded into the guest's RAM.
 *
 * Functions that return int return 0, or -1 after a line in the log that names the file.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

struct kvm_image {
    const char *path; /**< the caller's; must outlive the image */
    int fd;
    uint64_t size; /**< bytes, at least 1 */
};

/** Opens a regular file that is not empty. Does not wait, whatever the path leads to. */
int kvm_image_open(struct kvm_image *image, const char *path);

/** Closes an image; no effect on one that kvm_image_open() did not open. */
void kvm_image_close(struct kvm_image *image);

/** Checks that the file has a part that its header tells of. */
int kvm_image_check_part(const struct kvm_image *image, uint64_t offset, uint64_t size);

/** Reads a part of the file; an error when the file is too short. */
int kvm_image_read(const struct kvm_image *image, uint64_t offset, void *buffer, size_t size);

/** Reads a part of the file into RAM. */
int kvm_image_load(const struct kvm_image *image, uint64_t offset, size_t size, vm_t *vm, uintptr_t address);

/** Logs what is wrong with the file. Returns -1. */
int kvm_image_error(const struct kvm_image *image, const char *format, ...) __attribute__((format(printf, 2, 3)));
