/* SPDX-License-Identifier: BSD-2-Clause */
#include "resource.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <sel4vm_kvm_test.h>

static atomic_int countdown; /* 0: nothing fails */

int kvm_test_fail_after(int n)
{
    return atomic_exchange(&countdown, n);
}

bool kvm_resource_fails(void)
{
    int left = atomic_load(&countdown);

    while (left > 0) {
        if (!atomic_compare_exchange_weak(&countdown, &left, left - 1))
            continue;
        if (left > 1)
            return false;
        errno = ENOMEM;
        return true;
    }
    return false;
}

void *kvm_alloc(size_t count, size_t size)
{
    return kvm_resource_fails() ? NULL : calloc(count, size);
}

void *kvm_grow(void *array, size_t count, size_t size)
{
    return kvm_resource_fails() ? NULL : reallocarray(array, count, size);
}

char *kvm_copy_string(const char *string)
{
    return kvm_resource_fails() ? NULL : strdup(string);
}

void *kvm_map(size_t size, int protection, int fd, off_t offset)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED;
    void *address;

    if (kvm_resource_fails())
        return NULL;
    address = mmap(NULL, size, protection, flags, fd, offset);
    return address == MAP_FAILED ? NULL : address;
}

int kvm_eventfd(void)
{
    return kvm_resource_fails() ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int kvm_duplicate(int fd)
{
    return kvm_resource_fails() ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}
