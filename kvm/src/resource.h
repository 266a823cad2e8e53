/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory and descriptors. All of this library's come from here, so that tests can make any of them fail
 * (kvm_test_fail_after()).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** Whether this one is to fail; errno is ENOMEM then. */
bool kvm_resource_fails(void);

/** Zeroed memory; NULL when there is none. */
void *kvm_alloc(size_t count, size_t size);

/** An array grown to count elements; NULL when there is no memory, and the array is as it was. */
void *kvm_grow(void *array, size_t count, size_t size);

char *kvm_copy_string(const char *string);

/** Maps size bytes of fd, or anonymous memory for fd -1. NULL on failure, with errno. */
void *kvm_map(size_t size, int protection, int fd, off_t offset);

int kvm_eventfd(void);
int kvm_duplicate(int fd);
