/* SPDX-License-Identifier: BSD-2-Clause */
#include "vfio_user.h"

#include <stdio.h>
#include <string.h>

/* The header, by offset: number, command, size, flags, error. */
enum { HEADER_ID = 0, HEADER_COMMAND = 2, HEADER_SIZE = 4, HEADER_FLAGS = 8, HEADER_ERROR = 12 };

#define FLAG_TYPE 0xfu /* 0 a command, 1 a reply */
#define FLAG_REPLY 0x1u
#define FLAG_NO_REPLY 0x10u
#define FLAG_ERROR 0x20u

#define DMA_MAP_BYTES 32
#define DMA_UNMAP_BYTES 24
#define INFO_BYTES 16
#define REGION_INFO_BYTES 32
#define IRQ_INFO_BYTES 16
#define IRQ_SET_BYTES 20
#define ACCESS_BYTES 16
#define SPARSE_CAPABILITY_BYTES 32 /* with one area */

#define DEVICE_RESETS 0x1u
#define DEVICE_IS_PCI 0x2u
#define REGION_READABLE 0x1u
#define REGION_WRITABLE 0x2u
#define REGION_MAPPABLE 0x4u
#define REGION_CAPABILITIES 0x8u
#define CAPABILITY_SPARSE 1
#define IRQ_BY_EVENTFD 0x1u
#define IRQ_MASKABLE 0x2u
#define IRQ_AUTOMASKED 0x4u

static uint16_t get16(const uint8_t *from)
{
    uint16_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

static uint32_t get32(const uint8_t *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

static uint64_t get64(const uint8_t *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof(value));
    return value;
}

/* --- requests --- */

const char *vfio_user_check_header(const uint8_t header[VFIO_USER_HEADER_BYTES], size_t *size)
{
    uint32_t claimed = get32(header + HEADER_SIZE), flags = get32(header + HEADER_FLAGS);

    if (claimed < VFIO_USER_HEADER_BYTES || claimed > VFIO_USER_MAX_MESSAGE)
        return "claims an impossible size";
    if (flags & FLAG_TYPE)
        return "is no command";
    if (flags & ~FLAG_NO_REPLY)
        return "has flags that are not known";
    *size = claimed;
    return NULL;
}

static const char *parse_version(struct vfio_user_request *request)
{
    if (request->body_size < 4)
        return "is too short for a version";
    if (request->body_size > 4 && request->body[request->body_size - 1] != '\0')
        return "has a version that does not end";
    request->version.major = get16(request->body);
    request->version.minor = get16(request->body + 2);
    return NULL;
}

static const char *parse_info(struct vfio_user_request *request, size_t bytes, uint32_t limit)
{
    if (request->body_size != bytes)
        return "is not as long as a question is";
    request->info.argsz = get32(request->body);
    request->info.index = get32(request->body + 8);
    if (request->info.argsz < bytes)
        return "leaves no room for its answer";
    return request->info.index < limit ? NULL : "asks for what a PCI device does not have";
}

static bool parse_irq_flags(struct vfio_user_request *request, uint32_t flags)
{
    switch (flags & 0x7u) {
    case 0x1u:
        request->irqs.data = VFIO_USER_IRQ_NONE;
        break;
    case 0x2u:
        request->irqs.data = VFIO_USER_IRQ_BOOLS;
        break;
    case 0x4u:
        request->irqs.data = VFIO_USER_IRQ_EVENTFDS;
        break;
    default:
        return false;
    }
    switch (flags & ~0x7u) {
    case 0x08u:
        request->irqs.action = VFIO_USER_IRQ_MASK;
        return true;
    case 0x10u:
        request->irqs.action = VFIO_USER_IRQ_UNMASK;
        return true;
    case 0x20u:
        request->irqs.action = VFIO_USER_IRQ_TRIGGER;
        return true;
    default:
        return false;
    }
}

static const char *parse_irqs(struct vfio_user_request *request, size_t num_fds)
{
    uint32_t count;

    if (request->body_size < IRQ_SET_BYTES)
        return "is too short to set interrupts";
    if (!parse_irq_flags(request, get32(request->body + 4)))
        return "sets interrupts in a way that is not known";
    request->irqs.index = get32(request->body + 8);
    request->irqs.start = get32(request->body + 12);
    count = request->irqs.count = get32(request->body + 16);
    if (request->irqs.index >= VFIO_USER_IRQS || request->irqs.start > 1 || count > 1 ||
        request->irqs.start + count > 1)
        return "sets interrupts that the device does not have";
    request->irqs.bools = request->body + IRQ_SET_BYTES;
    if (request->irqs.data == VFIO_USER_IRQ_BOOLS && request->body_size != IRQ_SET_BYTES + count)
        return "sets interrupts by another number of values than it says";
    if (num_fds > (request->irqs.data == VFIO_USER_IRQ_EVENTFDS ? count : 0))
        return "sets interrupts with more descriptors than it says";
    return NULL;
}

static const char *parse_access(struct vfio_user_request *request, bool stores)
{
    if (request->body_size < ACCESS_BYTES)
        return "is too short for an access";
    request->access.offset = get64(request->body);
    request->access.region = get32(request->body + 8);
    request->access.count = get32(request->body + 12);
    request->access.data = request->body + ACCESS_BYTES;
    if (request->access.count > VFIO_USER_MAX_TRANSFER)
        return "accesses more at once than was agreed";
    if (request->body_size != ACCESS_BYTES + (stores ? request->access.count : 0))
        return "has another length than its access";
    if (request->access.region >= VFIO_USER_REGIONS)
        return "accesses a region that a PCI device does not have";
    if (request->access.offset > UINT64_MAX - request->access.count)
        return "accesses what no region can reach";
    return NULL;
}

static const char *expect(const struct vfio_user_request *request, size_t bytes)
{
    return request->body_size == bytes ? NULL : "is not as long as its command is";
}

static size_t max_fds(uint16_t command)
{
    switch (command) {
    case VFIO_USER_DMA_MAP:
    case VFIO_USER_SET_IRQS:
        return 1;
    default:
        return 0;
    }
}

const char *vfio_user_parse(const uint8_t *message, size_t size, size_t num_fds, struct vfio_user_request *request)
{
    *request = (struct vfio_user_request){
        .id = get16(message + HEADER_ID),
        .command = get16(message + HEADER_COMMAND),
        .known = true,
        .no_reply = get32(message + HEADER_FLAGS) & FLAG_NO_REPLY,
        .body = message + VFIO_USER_HEADER_BYTES,
        .body_size = size - VFIO_USER_HEADER_BYTES,
    };
    if (num_fds > max_fds(request->command))
        return "has more descriptors than its command takes";
    switch (request->command) {
    case VFIO_USER_VERSION:
        return parse_version(request);
    case VFIO_USER_DMA_MAP:
        return expect(request, DMA_MAP_BYTES);
    case VFIO_USER_DMA_UNMAP:
        return expect(request, DMA_UNMAP_BYTES);
    case VFIO_USER_GET_INFO:
        return expect(request, INFO_BYTES);
    case VFIO_USER_GET_REGION_INFO:
        return parse_info(request, REGION_INFO_BYTES, VFIO_USER_REGIONS);
    case VFIO_USER_GET_IRQ_INFO:
        return parse_info(request, IRQ_INFO_BYTES, VFIO_USER_IRQS);
    case VFIO_USER_SET_IRQS:
        return parse_irqs(request, num_fds);
    case VFIO_USER_REGION_READ:
        return parse_access(request, false);
    case VFIO_USER_REGION_WRITE:
        return parse_access(request, true);
    case VFIO_USER_RESET:
        return expect(request, 0);
    default:
        request->known = false;
        return NULL;
    }
}

/* --- replies --- */

static void put(struct vfio_user_reply *reply, const void *data, size_t size)
{
    memcpy(reply->bytes + reply->size, data, size);
    reply->size += size;
}

static void put32(struct vfio_user_reply *reply, uint32_t value)
{
    put(reply, &value, sizeof(value));
}

static void put64(struct vfio_user_reply *reply, uint64_t value)
{
    put(reply, &value, sizeof(value));
}

static void begin(struct vfio_user_reply *reply, const struct vfio_user_request *request, uint32_t flags, int error)
{
    reply->size = 0;
    put(reply, &request->id, sizeof(request->id));
    put(reply, &request->command, sizeof(request->command));
    put32(reply, 0); /* the size, see end() */
    put32(reply, FLAG_REPLY | flags);
    put32(reply, (uint32_t)error);
}

static void end(struct vfio_user_reply *reply)
{
    uint32_t size = (uint32_t)reply->size;

    memcpy(reply->bytes + HEADER_SIZE, &size, sizeof(size));
}

void vfio_user_reply_empty(struct vfio_user_reply *reply, const struct vfio_user_request *request)
{
    begin(reply, request, 0, 0);
    end(reply);
}

void vfio_user_reply_body(struct vfio_user_reply *reply, const struct vfio_user_request *request)
{
    begin(reply, request, 0, 0);
    put(reply, request->body, request->body_size);
    end(reply);
}

void vfio_user_reply_error(struct vfio_user_reply *reply, const struct vfio_user_request *request, int error)
{
    begin(reply, request, FLAG_ERROR, error);
    end(reply);
}

void vfio_user_reply_version(struct vfio_user_reply *reply, const struct vfio_user_request *request)
{
    char capabilities[160];
    int length = snprintf(capabilities, sizeof(capabilities),
                          "{\"capabilities\":{\"max_msg_fds\":%d,\"max_data_xfer_size\":%d,\"pgsizes\":4096}}",
                          VFIO_USER_MAX_FDS, VFIO_USER_MAX_TRANSFER);

    begin(reply, request, 0, 0);
    put32(reply, 0); /* version 0.0: the one that there is */
    put(reply, capabilities, (size_t)length + 1);
    end(reply);
}

void vfio_user_reply_info(struct vfio_user_reply *reply, const struct vfio_user_request *request)
{
    begin(reply, request, 0, 0);
    put32(reply, INFO_BYTES);
    put32(reply, DEVICE_RESETS | DEVICE_IS_PCI);
    put32(reply, VFIO_USER_REGIONS);
    put32(reply, VFIO_USER_IRQS);
    end(reply);
}

static void put_sparse_capability(struct vfio_user_reply *reply, const struct vfio_user_region_info *info)
{
    put32(reply, CAPABILITY_SPARSE | 1 << 16); /* and its version */
    put32(reply, 0);                           /* no other follows */
    put32(reply, 1);                           /* areas */
    put32(reply, 0);
    put64(reply, info->map_offset);
    put64(reply, info->map_size);
}

bool vfio_user_reply_region(struct vfio_user_reply *reply, const struct vfio_user_request *request,
                            const struct vfio_user_region_info *info)
{
    bool sparse = info->mappable && info->map_size != info->size;
    uint32_t need = REGION_INFO_BYTES + (sparse ? SPARSE_CAPABILITY_BYTES : 0);
    bool fits = need <= request->info.argsz;
    uint32_t flags = 0;

    if (info->size)
        flags = REGION_READABLE | (info->writable ? REGION_WRITABLE : 0) | (info->mappable ? REGION_MAPPABLE : 0) |
                (sparse ? REGION_CAPABILITIES : 0);
    begin(reply, request, 0, 0);
    put32(reply, need);
    put32(reply, flags);
    put32(reply, request->info.index);
    put32(reply, sparse ? REGION_INFO_BYTES : 0); /* QEMU checks it where the capability did not fit, too */
    put64(reply, info->size);
    put64(reply, info->file_offset);
    if (sparse && fits)
        put_sparse_capability(reply, info);
    end(reply);
    return info->mappable && fits;
}

void vfio_user_reply_irq(struct vfio_user_reply *reply, const struct vfio_user_request *request, uint32_t count)
{
    uint32_t flags = 0;

    if (count)
        flags = IRQ_BY_EVENTFD | (request->info.index == VFIO_USER_INTX ? IRQ_MASKABLE | IRQ_AUTOMASKED : 0);
    begin(reply, request, 0, 0);
    put32(reply, IRQ_INFO_BYTES);
    put32(reply, flags);
    put32(reply, request->info.index);
    put32(reply, count);
    end(reply);
}

uint8_t *vfio_user_reply_data(struct vfio_user_reply *reply, const struct vfio_user_request *request)
{
    uint8_t *data;

    vfio_user_reply_stored(reply, request);
    data = reply->bytes + reply->size;
    reply->size += request->access.count;
    end(reply);
    return data;
}

void vfio_user_reply_stored(struct vfio_user_reply *reply, const struct vfio_user_request *request)
{
    begin(reply, request, 0, 0);
    put(reply, request->body, ACCESS_BYTES);
    end(reply);
}
