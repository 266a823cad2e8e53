/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that a guest shares with its peer: a memfd, and the frames that name its pages to the VM.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <sel4/sel4.h>

struct shared_memory {
    int memfd; /**< -1: none */
    seL4_CPtr *frames;
    size_t num_frames;
    size_t frame_size_bits;
    uint64_t size;   /**< bytes */
    uint32_t rights; /**< CROSSVM_RIGHT_* */
};

/** No memory: shared_memory_destroy() may have it. */
#define SHARED_MEMORY_NONE ((struct shared_memory){.memfd = -1})

/**
 * Takes memory that the hub made, and checks it (received_memory_fault()).
 *
 * @param name   of the connection, for messages
 * @param memfd  belongs to this memory from now on; it is closed after a failure
 * @param offset where it begins in there, in bytes: a multiple of 4 KiB
 * @param size   in bytes, a multiple of 4 KiB
 * @return 0, or -1 after a message
 */
int shared_memory_take(struct shared_memory *memory, const char *name, int memfd, uint64_t offset, uint64_t size,
                       uint32_t rights);

void shared_memory_destroy(struct shared_memory *memory);
