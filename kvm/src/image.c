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

int kvm_image_open(struct kvm_image *image, const char *path)
{
    struct stat status;

    *image = (struct kvm_image){.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (image->fd < 0)
        return kvm_image_error(image, "cannot open it: %s", strerror(errno));
    if (fstat(image->fd, &status) == 0 && S_ISREG(status.st_mode)) {
        image->size = (uint64_t)status.st_size;
        return 0;
    }
    kvm_image_error(image, "it is no ordinary file");
    kvm_image_close(image);
    return -1;
}

void kvm_image_close(struct kvm_image *image)
{
    if (image->fd >= 0)
        close(image->fd);
    image->fd = -1;
}

int kvm_image_read(const struct kvm_image *image, uint64_t offset, void *buffer, size_t size)
{
    uint8_t *at = buffer;

    if (offset > image->size || size > image->size - offset)
        return kvm_image_error(image, "it is cut short");
    while (size) {
        ssize_t n = pread(image->fd, at, size, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return kvm_image_error(image, "cannot read it: %s", n < 0 ? strerror(errno) : "it became shorter");
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
        return kvm_image_error(image,
                               "%zu bytes of it belong at 0x%" PRIxPTR ", where the VM has no RAM; give it more memory",
                               size, address);
    return kvm_image_read(image, offset, memory, size);
}
