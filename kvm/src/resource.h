/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and descriptors. All that this library uses comes from here, so that tests can make each allocation fail
 * (kvm_test_fail_after()).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Whether this allocation is to fail. If so, errno is ENOMEM. */
bool kvm_resource_fails(void);

/** Allocates memory of zeros. Returns NULL if there is none. */
void *kvm_alloc(size_t count, size_t size);

/** Grows an array to `count` elements. Returns NULL if there is no memory; then the array is as before. */
void *kvm_grow(void *array, size_t count, size_t size);

/** Copies a string. Returns NULL if there is no memory. */
char *kvm_copy_string(const char *string);

/** Maps `size` bytes of fd, or anonymous memory for fd -1. Returns NULL with errno on failure. */
void *kvm_map(size_t size, int protection, int fd, off_t offset);

/** Makes an eventfd, close-on-exec and non-blocking. Returns -1 with errno on failure. */
int kvm_eventfd(void);

/** Duplicates a descriptor, close-on-exec. Returns -1 with errno on failure. */
int kvm_duplicate(int fd);
