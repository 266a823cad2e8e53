/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are loaded into the guest's RAM. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <sel4vm/guest_vm.h>

struct kvm_image {
    const char *path;
    int fd;
    uint64_t size;
};

/* All return 0, or -1 after a line in the log that names the file. */

int kvm_image_open(struct kvm_image *image, const char *path);
void kvm_image_close(struct kvm_image *image);

/** Reads a part of the file; it is an error when the file is too short. */
int kvm_image_read(const struct kvm_image *image, uint64_t offset, void *buffer, size_t size);

/** Reads a part of the file into RAM. */
int kvm_image_load(const struct kvm_image *image, uint64_t offset, size_t size, vm_t *vm, uintptr_t address);

/** Complains of the file. Returns -1. */
int kvm_image_error(const struct kvm_image *image, const char *format, ...) __attribute__((format(printf, 2, 3)));
