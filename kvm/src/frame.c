/* SPDX-License-Identifier: BSD-2-Clause */
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <utils/util.h>

#include <sel4vm_kvm.h>

#include "resource.h"

/** A memfd, open as long as frames of it exist. */
struct file {
    int fd;
    size_t frames;
};

/** An entry of the table. A capability is its index plus 1. */
struct entry {
    struct file *file; /**< NULL: free */
    off_t offset;
    uint32_t size_bits;
    uint32_t next_free; /**< while free: index plus 1, or 0 */
};

/* One table for the process, as a VMM on seL4 has one capability space. The VMM's lock guards it. */
static struct entry *table;
static size_t capacity;
static size_t used;
static uint32_t first_free;

static struct entry *entry_of(seL4_CPtr cptr)
{
    struct entry *entry;

    if (cptr == seL4_CapNull || cptr > capacity)
        return NULL;
    entry = &table[cptr - 1];
    return entry->file ? entry : NULL;
}

/* Makes room for `num` more entries. */
static int table_reserve(size_t num)
{
    size_t wanted = MAX(64, capacity);
    struct entry *grown;

    if (capacity - used >= num)
        return 0;
    while (wanted - used < num)
        wanted *= 2;
    if (wanted >= UINT32_MAX)
        return -ENOMEM;
    grown = kvm_grow(table, wanted, sizeof(*table));
    if (!grown)
        return -ENOMEM;
    table = grown;
    /* In descending order, so that frames that are made together get ascending capabilities. */
    for (size_t i = wanted; i > capacity; i--) {
        table[i - 1] = (struct entry){.next_free = first_free};
        first_free = (uint32_t)i;
    }
    capacity = wanted;
    return 0;
}

static void file_put(struct file *file)
{
    if (--file->frames)
        return;
    close(file->fd);
    free(file);
}

static int size_check(size_t num, size_t size_bits)
{
    if (size_bits != seL4_PageBits && size_bits != seL4_LargePageBits)
        return -EINVAL;
    return num == 0 || num > (size_t)INT64_MAX >> size_bits ? -EINVAL : 0;
}

/* Takes over fd, also on failure. */
static int frames_add(int fd, off_t offset, size_t num, size_t size_bits, seL4_CPtr *frames)
{
    struct file *file = kvm_alloc(1, sizeof(*file));
    int error = file ? 0 : -ENOMEM;

    kvm_vmm_lock();
    if (!error)
        error = table_reserve(num);
    if (error) {
        kvm_vmm_unlock();
        free(file);
        close(fd);
        return error;
    }
    *file = (struct file){.fd = fd, .frames = num};
    for (size_t i = 0; i < num; i++) {
        struct entry *entry = &table[first_free - 1];

        frames[i] = first_free;
        first_free = entry->next_free;
        *entry =
            (struct entry){.file = file, .offset = offset + (off_t)(i << size_bits), .size_bits = (uint32_t)size_bits};
    }
    used += num;
    kvm_vmm_unlock();
    return 0;
}

int kvm_frames_create(const char *name, size_t num, size_t size_bits, seL4_CPtr *frames, int *memfd)
{
    int copy = -1;
    int error = size_check(num, size_bits);
    int fd;

    if (error)
        return error;
    fd = kvm_resource_fails() ? -1 : memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    /* Sealed against further seals, too: one against writing would make the next mapping for writing fail. */
    if (ftruncate(fd, (off_t)(num << size_bits)) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
        error = -errno;
        goto fail;
    }
    if (memfd) {
        copy = kvm_duplicate(fd);
        if (copy < 0) {
            error = -errno;
            goto fail;
        }
    }
    error = frames_add(fd, 0, num, size_bits, frames);
    if (error) {
        if (memfd)
            close(copy);
        return error;
    }
    if (memfd)
        *memfd = copy;
    return 0;

fail:
    close(fd);
    return error;
}

/* Whether pages of an open file stay as long as it is open, whatever another process does with it. */
static bool is_lasting(int memfd)
{
    int seals = fcntl(memfd, F_GET_SEALS);
    struct statfs system;

    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        return false;
    /* A hole punched into huge pages takes them away in spite of the seal; tmpfs gives new pages. */
    return fstatfs(memfd, &system) == 0 && system.f_type == TMPFS_MAGIC;
}

int kvm_frames_import(int memfd, off_t offset, size_t num, size_t size_bits, seL4_CPtr *frames)
{
    int error = size_check(num, size_bits);
    struct stat status;
    int fd;

    if (error)
        return error;
    if (offset < 0 || !IS_ALIGNED_4K((size_t)offset))
        return -EINVAL;
    if (fstat(memfd, &status))
        return -errno;
    if (offset > status.st_size || num << size_bits > (size_t)(status.st_size - offset))
        return -EINVAL;
    if (!is_lasting(memfd))
        return -EPERM;
    fd = kvm_duplicate(memfd);
    if (fd < 0)
        return -errno;
    return frames_add(fd, offset, num, size_bits, frames);
}

void kvm_frames_free(const seL4_CPtr *frames, size_t num)
{
    kvm_vmm_lock();
    for (size_t i = num; i > 0; i--) {
        struct entry *entry = entry_of(frames[i - 1]);

        if (!entry)
            continue;
        file_put(entry->file);
        *entry = (struct entry){.next_free = first_free};
        first_free = (uint32_t)frames[i - 1];
        used--;
    }
    if (!used) {
        free(table);
        table = NULL;
        capacity = 0;
        first_free = 0;
    }
    kvm_vmm_unlock();
}

bool kvm_frame_find(seL4_CPtr cptr, struct kvm_frame *frame)
{
    const struct entry *entry;

    kvm_vmm_lock();
    entry = entry_of(cptr);
    if (entry)
        *frame = (struct kvm_frame){.fd = entry->file->fd, .offset = entry->offset, .size = BIT(entry->size_bits)};
    kvm_vmm_unlock();
    return entry;
}

size_t kvm_frame_count(void)
{
    size_t count;

    kvm_vmm_lock();
    count = used;
    kvm_vmm_unlock();
    return count;
}

/* The bytes of all frames together, and the first frame. 0: they do not follow each other in one memfd. */
static size_t frames_extent(const seL4_CPtr *frames, size_t num, struct kvm_frame *first)
{
    size_t size = 0;

    for (size_t i = 0; i < num; i++) {
        struct kvm_frame frame;

        if (!kvm_frame_find(frames[i], &frame))
            return 0;
        if (i == 0)
            *first = frame;
        else if (frame.fd != first->fd || frame.offset != first->offset + (off_t)size)
            return 0;
        size += frame.size;
    }
    return size;
}

void *kvm_frames_map(const seL4_CPtr *frames, size_t num)
{
    struct kvm_frame first = {0};
    void *address = NULL;
    size_t size;

    kvm_vmm_lock();
    size = frames_extent(frames, num, &first);
    if (size)
        address = kvm_map(size, PROT_READ | PROT_WRITE, first.fd, first.offset);
    else
        errno = EINVAL;
    kvm_vmm_unlock();
    return address;
}

void kvm_frames_unmap(void *address, const seL4_CPtr *frames, size_t num)
{
    struct kvm_frame first;
    size_t size = address ? frames_extent(frames, num, &first) : 0;

    if (size)
        munmap(address, size);
}
