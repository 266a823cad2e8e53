/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The messages of vfio-user that a server of one PCI device needs: what a VMM asks, checked, and what it is answered.
 * QEMU's documentation (interop, vfio-user) describes the protocol. No sockets here.
 *
 * All integers are in host byte order, since both ends run on one machine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VFIO_USER_HEADER_BYTES 16

/** The most bytes that one message loads or stores: the VMM is told so. */
#define VFIO_USER_MAX_TRANSFER 4096

/** The longest message: a store or load of that many bytes. What a VMM says of its version is shorter. */
#define VFIO_USER_MAX_MESSAGE (VFIO_USER_HEADER_BYTES + 16 + VFIO_USER_MAX_TRANSFER)

/** The most descriptors that come with one message. */
#define VFIO_USER_MAX_FDS 8

enum vfio_user_command {
    VFIO_USER_VERSION = 1,
    VFIO_USER_DMA_MAP = 2,
    VFIO_USER_DMA_UNMAP = 3,
    VFIO_USER_GET_INFO = 4,
    VFIO_USER_GET_REGION_INFO = 5,
    VFIO_USER_GET_IRQ_INFO = 7,
    VFIO_USER_SET_IRQS = 8,
    VFIO_USER_REGION_READ = 9,
    VFIO_USER_REGION_WRITE = 10,
    VFIO_USER_RESET = 13,
};

/** Regions of a PCI device: its BARs by number, and others. */
enum vfio_user_region { VFIO_USER_ROM = 6, VFIO_USER_CONFIG = 7, VFIO_USER_VGA = 8, VFIO_USER_REGIONS = 9 };

/** Interrupts of a PCI device. */
enum vfio_user_irq {
    VFIO_USER_INTX = 0,
    VFIO_USER_MSI = 1,
    VFIO_USER_MSIX = 2,
    VFIO_USER_ERROR = 3, /**< the device is broken */
    VFIO_USER_UNPLUG = 4,
    VFIO_USER_IRQS = 5
};

/** What SET_IRQS does. */
enum vfio_user_irq_action { VFIO_USER_IRQ_MASK, VFIO_USER_IRQ_UNMASK, VFIO_USER_IRQ_TRIGGER };

/** With what SET_IRQS does it. */
enum vfio_user_irq_data { VFIO_USER_IRQ_NONE, VFIO_USER_IRQ_BOOLS, VFIO_USER_IRQ_EVENTFDS };

/** A message of the VMM, after it was checked. Pointers lead into the message. */
struct vfio_user_request {
    uint16_t id;
    uint16_t command; /**< known: an enum vfio_user_command */
    bool known;       /**< of the others nothing but the header was checked */
    bool no_reply;
    const uint8_t *body; /**< behind the header */
    size_t body_size;
    union {
        struct {
            uint16_t major, minor;
        } version;
        struct {
            uint32_t argsz; /**< room that the VMM has for the body of the reply */
            uint32_t index;
        } info; /**< of GET_REGION_INFO and GET_IRQ_INFO */
        struct {
            enum vfio_user_irq_action action;
            enum vfio_user_irq_data data;
            uint32_t index, start, count;
            const uint8_t *bools; /**< count of them, with VFIO_USER_IRQ_BOOLS */
        } irqs;
        struct {
            uint64_t offset;
            uint32_t region; /**< below VFIO_USER_REGIONS */
            uint32_t count;  /**< at most VFIO_USER_MAX_TRANSFER; offset + count does not overflow */
            const uint8_t *data;
        } access;
    };
};

/** Part of a region that the VMM may map, from the descriptor that comes with the reply. */
struct vfio_user_region_info {
    uint64_t size; /**< bytes; 0: no such region */
    bool writable;
    bool mappable;
    uint64_t map_offset, map_size; /**< of the mappable part, in the region */
    uint64_t file_offset;          /**< of the region in the descriptor's file */
};

/** A reply in the making. */
struct vfio_user_reply {
    uint8_t bytes[VFIO_USER_MAX_MESSAGE];
    size_t size;
};

/**
 * Checks a header.
 *
 * @param size receives the size of the whole message, VFIO_USER_HEADER_BYTES to VFIO_USER_MAX_MESSAGE
 * @return NULL, or what is wrong, as the rest of a sentence that begins with "a message that"
 */
const char *vfio_user_check_header(const uint8_t header[VFIO_USER_HEADER_BYTES], size_t *size);

/**
 * Checks a whole message, whose header was checked.
 *
 * @param num_fds descriptors that came with it
 * @return as vfio_user_check_header(); the request is valid if NULL
 */
const char *vfio_user_parse(const uint8_t *message, size_t size, size_t num_fds, struct vfio_user_request *request);

/** Replies without a body, and with the request's own. */
void vfio_user_reply_empty(struct vfio_user_reply *reply, const struct vfio_user_request *request);
void vfio_user_reply_body(struct vfio_user_reply *reply, const struct vfio_user_request *request);

/** Says that it failed: error is a positive errno value. */
void vfio_user_reply_error(struct vfio_user_reply *reply, const struct vfio_user_request *request, int error);

void vfio_user_reply_version(struct vfio_user_reply *reply, const struct vfio_user_request *request);
void vfio_user_reply_info(struct vfio_user_reply *reply, const struct vfio_user_request *request);

/** Returns whether a descriptor has to come with the reply: only one that the VMM has room for tells where to map. */
bool vfio_user_reply_region(struct vfio_user_reply *reply, const struct vfio_user_request *request,
                            const struct vfio_user_region_info *info);

/** count: interrupts of that kind, 0 or 1. */
void vfio_user_reply_irq(struct vfio_user_reply *reply, const struct vfio_user_request *request, uint32_t count);

/** Of a load. Returns where its count bytes go. */
uint8_t *vfio_user_reply_data(struct vfio_user_reply *reply, const struct vfio_user_request *request);

/** Of a store. */
void vfio_user_reply_stored(struct vfio_user_reply *reply, const struct vfio_user_request *request);
