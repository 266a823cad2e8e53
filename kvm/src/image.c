/* SPDX-License-Identifier: BSD-2-Clause */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utils/util.h>

#include "../../src/common/error_reason.h"
#include "ram.h"

int kvm_image_error(const struct kvm_image *image, const char *format, ...)
{
    char reason[256];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    ZF_LOGE("%s: %s", image->path, reason);
    return -1;
}

static const char *kind_of_file(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a directory";
    case S_IFIFO:
        return "a FIFO";
    case S_IFCHR:
    case S_IFBLK:
        return "a device";
    default:
        return "no regular file";
    }
}

/* What is wrong with an open file, after a line in the log: -1. */
static int check_open_file(struct kvm_image *image)
{
    struct stat status;

    if (fstat(image->fd, &status))
        return kvm_image_error(image, "cannot look at it: %s", error_reason(errno));
    if (!S_ISREG(status.st_mode))
        return kvm_image_error(image, "it is %s; give a regular file", kind_of_file(status.st_mode));
    if (status.st_size == 0)
        return kvm_image_error(image, "it is empty");
    image->size = (uint64_t)status.st_size;
    return 0;
}

int kvm_image_open(struct kvm_image *image, const char *path)
{
    /* Without O_NONBLOCK, a FIFO that nobody writes would hold up the VM for ever. */
    *image = (struct kvm_image){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (image->fd < 0)
        return kvm_image_error(image, "cannot open it: %s", error_reason(errno));
    if (check_open_file(image) == 0)
        return 0;
    kvm_image_close(image);
    return -1;
}

void kvm_image_close(struct kvm_image *image)
{
    if (image->path && image->fd >= 0)
        close(image->fd);
    *image = (struct kvm_image){.fd = -1};
}

int kvm_image_check_part(const struct kvm_image *image, uint64_t offset, uint64_t size)
{
    if (size <= image->size && offset <= image->size - size)
        return 0;
    if (size > UINT64_MAX - offset)
        return kvm_image_error(image, "its header is damaged: a part of it ends beyond 2^64 bytes");
    return kvm_image_error(image, "it is cut short: its header tells of %" PRIu64 " bytes, and it has %" PRIu64,
                           offset + size, image->size);
}

int kvm_image_read(const struct kvm_image *image, uint64_t offset, void *buffer, size_t size)
{
    uint8_t *at = buffer;

    if (kvm_image_check_part(image, offset, size))
        return -1;
    while (size) {
        ssize_t n = pread(image->fd, at, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return kvm_image_error(image, "cannot read it: %s",
                                   n < 0 ? error_reason(errno) : "it became shorter meanwhile");
        at += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

int kvm_image_load(const struct kvm_image *image, uint64_t offset, size_t size, vm_t *vm, uintptr_t address)
{
    void *memory = kvm_ram_pointer(vm, address, size);

    if (!memory)
        return kvm_image_error(image, "the VM has no RAM for %zu bytes of it at 0x%" PRIxPTR, size, address);
    return kvm_image_read(image, offset, memory, size);
}
