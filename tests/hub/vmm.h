/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VMM that speaks vfio-user, in the test's own words: it knows nothing of src/wire/vfio_user.h.
 *
 * Include after cmocka.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Commands */
enum {
    VMM_VERSION = 1,
    VMM_DMA_MAP = 2,
    VMM_DMA_UNMAP = 3,
    VMM_GET_INFO = 4,
    VMM_GET_REGION_INFO = 5,
    VMM_GET_REGION_IO_FDS = 6,
    VMM_GET_IRQ_INFO = 7,
    VMM_SET_IRQS = 8,
    VMM_READ = 9,
    VMM_WRITE = 10,
    VMM_RESET = 13,
};

#define VMM_CONFIG 7

/* Bits of the command register */
#define VMM_MEMORY 0x2
#define VMM_MASTER 0x4
#define VMM_INTX_DISABLE 0x400

#define VMM_NO_REPLY 0x10u

/** A reply. */
struct vmm_reply {
    uint32_t error; /**< errno value; 0: none */
    size_t size;    /**< of the body */
    uint8_t body[8192];
    int fd; /**< the caller's to close; -1: none came */
};

/** Connects to the socket of a connection, and says nothing yet. */
int vmm_connect(const char *connection);

/** The same, and agrees on the version. */
int vmm_start(const char *connection);

/** Sends a message as it is told to. False when the hub has closed the socket. */
bool vmm_send(int vmm, uint16_t command, uint32_t flags, const void *body, size_t size, const int *fds, size_t num_fds);

/** Receives a reply to a command. False when the hub has closed the socket. */
bool vmm_receive(int vmm, uint16_t command, struct vmm_reply *reply);

/** Sends a message without descriptors, and receives the reply, which must come. */
void vmm_ask(int vmm, uint16_t command, const void *body, size_t size, struct vmm_reply *reply);

/** Waits until the hub closes the socket, whatever comes before; closes it here, too. A reset is an error. */
void vmm_await_close(int vmm);

/** Accesses of the guest, which must work. */
uint64_t vmm_load(int vmm, uint32_t region, uint64_t offset, uint32_t count);
void vmm_store(int vmm, uint32_t region, uint64_t offset, uint64_t value, uint32_t count);

/** A register of the event page. */
uint32_t vmm_load32(int vmm, uint64_t offset);
void vmm_store32(int vmm, uint64_t offset, uint32_t value);

/** Sets the command register. */
void vmm_set_command(int vmm, uint16_t command);

/** Waits until EVENT_SEQ has a value. */
void vmm_await_event(int vmm, uint64_t sequence);

/** Gives an eventfd for an interrupt (0 INTx, 1 MSI), or takes it back (-1); the caller closes it. */
void vmm_set_irq(int vmm, uint32_t index, int eventfd);

/** Has a descriptor unmask INTx, or none (-1); the caller closes it. Returns the hub's errno value; 0: it will. */
uint32_t vmm_set_unmask(int vmm, int eventfd);

/** Waits for interrupts and takes their count. */
uint64_t vmm_await_interrupt(int eventfd);

/** Interrupts that came without being waited for. All that the hub did before its last reply is seen. */
uint64_t vmm_take_interrupts(int eventfd);

/** Maps the part of a region that may be mapped. */
uint8_t *vmm_map(int vmm, uint32_t region, size_t *offset, size_t *size);
