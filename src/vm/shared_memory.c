/* SPDX-License-Identifier: BSD-2-Clause */
#include "shared_memory.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <crossvm/device.h>
#include <sel4vm_kvm.h>

#include "../common/message.h"
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

int shared_memory_take(struct shared_memory *memory, const char *name, int memfd, uint64_t offset, uint64_t size,
                       uint32_t rights)
{
    const char *fault = received_memory_fault(memfd, offset + size);
    int error;

    *memory = SHARED_MEMORY_NONE;
    memory->memfd = memfd;
    memory->rights = rights;
    if (fault) {
        message("connection \"%s\": the memory that the hub sent %s", name, fault);
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

void shared_memory_destroy(struct shared_memory *memory)
{
    if (memory->num_frames)
        kvm_frames_free(memory->frames, memory->num_frames);
    free(memory->frames);
    if (memory->memfd >= 0)
        close(memory->memfd);
    *memory = SHARED_MEMORY_NONE;
}
