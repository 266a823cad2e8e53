/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM that speaks ivshmem, in the test's own words, and what its guest's driver does.
 *
 * Include after cmocka.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* docs/device.md, section 8.2 and 8.3, in the test's own words */
#define IVSHMEM_DRIVER_PAGE(end) ((end) ? 0x6000 : 0x1000)
#define IVSHMEM_EVENT_PAGE(end) ((end) ? 0x5000 : 0x2000)
#define IVSHMEM_COUNT(end) ((end) ? 0x4000 : 0x3000)
#define IVSHMEM_HUB 2 /* the number of its doorbell */

struct ivshmem_vmm {
    int socket;
    int64_t end;
    uint8_t *region;
    size_t size;
    int doorbells[3]; /* of the ends and of the hub */
};

/** Receives a number, and the descriptor that came with it or -1. False when the hub has closed the socket. */
bool ivshmem_receive(int vmm, int64_t *number, int *fd);

/** Waits until the hub closes the socket, whatever comes before; closes it here, too. */
void ivshmem_await_close(int socket);

/** Begins as QEMU does. */
struct ivshmem_vmm ivshmem_start(const char *file);

/** The VMM ends. */
void ivshmem_end(struct ivshmem_vmm *vmm);

/** Loads of the guest. */
uint32_t ivshmem_load32(const struct ivshmem_vmm *vmm, size_t offset);
uint64_t ivshmem_load64(const struct ivshmem_vmm *vmm, size_t offset);
uint32_t ivshmem_peer_state(const struct ivshmem_vmm *vmm);
uint32_t ivshmem_peer_generation(const struct ivshmem_vmm *vmm);

/** The guest stores a word of its driver's; the second tells the hub of it. */
void ivshmem_store_driver(const struct ivshmem_vmm *vmm, uint32_t word);
void ivshmem_tell_driver(const struct ivshmem_vmm *vmm, uint32_t word);

/** The guest signals an end, or the hub. */
void ivshmem_signal(const struct ivshmem_vmm *vmm, int64_t whom);

/** Waits for a signal and takes it. */
void ivshmem_await_signal(const struct ivshmem_vmm *vmm);

/** Whether there is one to take. */
bool ivshmem_is_signalled(const struct ivshmem_vmm *vmm);
