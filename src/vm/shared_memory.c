/* SPDX-License-Identifier: BSD-2-Clause */
#include "shared_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <crossvm/device.h>
#include <sel4vm_kvm.h>

#include "../common/message.h"
#include "../wire/memory.h"
#include "../wire/received_memory.h"

#define HUGE_FRAME_BITS 21

/* Names pages of the memfd as frames. 0 or a negative errno value. */
static int make_frames(struct shared_memory *memory, uint64_t offset, uint64_t size)
{
    bool huge = (offset | size) % ((uint64_t)1 << HUGE_FRAME_BITS) == 0;
    size_t bits = huge ? HUGE_FRAME_BITS : seL4_PageBits;
    size_t n = size >> bits;
    int error;

    memory->frames = calloc(n, sizeof(*memory->frames));
    if (!memory->frames)
        return -ENOMEM;
    error = kvm_frames_import(memory->memfd, offset, n, bits, memory->frames);
    if (error)
        return error;
    memory->size = size;
    memory->frame_size_bits = bits;
    memory->num_frames = n;
    return 0;
}

int shared_memory_create(struct shared_memory *memory, const char *name, uint64_t size, uint32_t guest_rights,
                         uint32_t peer_rights)
{
    int error;

    *memory = SHARED_MEMORY_NONE;
    memory->guest_rights = guest_rights;
    memory->peer_rights = peer_rights;
    memory->memfd = memory_create(name, size, 0); /* shared_memory_seal() is to come */
    error = memory->memfd < 0 ? -errno : make_frames(memory, 0, size);
    if (!error)
        return 0;
    message("connection \"%s\": cannot make %llu bytes of shared memory: %s", name, (unsigned long long)size,
            error_reason(-error));
    shared_memory_destroy(memory);
    return -1;
}

int shared_memory_take(struct shared_memory *memory, const char *name, int memfd, uint64_t offset, uint64_t size,
                       uint32_t guest_rights)
{
    const char *fault = received_memory_fault(memfd, offset + size);
    int error;

    *memory = SHARED_MEMORY_NONE;
    memory->memfd = memfd;
    memory->guest_rights = guest_rights;
    if (fault) {
        message("connection \"%s\": the memory that `crossvm run` sent %s", name, fault);
        shared_memory_destroy(memory);
        return -1;
    }
    error = make_frames(memory, offset, size);
    if (!error)
        return 0;
    message("connection \"%s\": cannot use %llu bytes of shared memory: %s", name, (unsigned long long)size,
            error_reason(-error));
    shared_memory_destroy(memory);
    return -1;
}

/*
 * A descriptor that is open for reading only is not enough: Linux lets its holder open the memfd anew for writing. The
 * seal holds for all descriptors.
 */
int shared_memory_seal(const struct shared_memory *memory)
{
    int seals = F_SEAL_SEAL | (memory->peer_rights & CROSSVM_RIGHT_WRITE ? 0 : F_SEAL_FUTURE_WRITE);

    return fcntl(memory->memfd, F_ADD_SEALS, seals);
}

int shared_memory_open_for_peer(const struct shared_memory *memory)
{
    char path[32];

    if (memory->peer_rights & CROSSVM_RIGHT_WRITE)
        return fcntl(memory->memfd, F_DUPFD_CLOEXEC, 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memory->memfd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

void shared_memory_destroy(struct shared_memory *memory)
{
    if (memory->num_frames)
        kvm_frames_free(memory->frames, memory->num_frames);
    free(memory->frames);
    if (memory->memfd >= 0)
        close(memory->memfd);
    *memory = SHARED_MEMORY_NONE;
}
