/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of a VMM: whatever comes, of any length, nothing outside of the message is read, and a request that passes
 * the checks says nothing that its message does not hold. The reply to it fits where replies are made.
 *
 * Assumed: the rest of the message came as the header says, as the door sees to. No bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "prove.h"

#define memcpy(to, from, length) prove_load((to), (from), (length))

/* As memcpy(), of the few bytes of a field. A copy of more is a reply's, and checked, not made. */
static inline void prove_load(void *to, const void *from, size_t length)
{
    prove_copy(to, from, length);
    for (size_t i = 0; length <= 8 && i < 8 && i < length; i++)
        ((uint8_t *)to)[i] = ((const uint8_t *)from)[i];
}

#include "../../src/wire/vfio_user.c"

static void prove_access(const struct vfio_user_request *request, const uint8_t *message, size_t size)
{
    prove(request->access.count <= VFIO_USER_MAX_TRANSFER, "an access is no longer than agreed");
    prove(request->access.region < VFIO_USER_REGIONS, "an access is of a region that there is");
    prove(request->access.offset + request->access.count >= request->access.offset, "an access does not overflow");
    prove(request->command != VFIO_USER_REGION_WRITE ||
              (size_t)(request->access.data - message) + request->access.count == size,
          "a store has the bytes that came");
}

static void prove_irqs(const struct vfio_user_request *request, const uint8_t *message, size_t size, size_t num_fds)
{
    prove(request->irqs.index < VFIO_USER_IRQS, "an interrupt that there is");
    prove(request->irqs.start + request->irqs.count <= 1, "one of each kind");
    prove(request->irqs.data != VFIO_USER_IRQ_BOOLS ||
              (size_t)(request->irqs.bools - message) + request->irqs.count == size,
          "values that came");
    prove(num_fds <= request->irqs.count, "no more descriptors than interrupts");
}

/* As the door answers: each reply to what it is for. */
static void prove_reply(const struct vfio_user_request *request)
{
    static struct vfio_user_reply reply;
    struct vfio_user_region_info info = {.size = nondet_u64(),
                                         .writable = nondet_bool(),
                                         .mappable = nondet_bool(),
                                         .map_offset = nondet_u64(),
                                         .map_size = nondet_u64()};

    switch (request->command) {
    case VFIO_USER_DMA_UNMAP:
        vfio_user_reply_body(&reply, request);
        break;
    case VFIO_USER_GET_REGION_INFO:
        prove(!vfio_user_reply_region(&reply, request, &info) ||
                  reply.size - VFIO_USER_HEADER_BYTES <= request->info.argsz,
              "a descriptor comes only with an answer that the VMM has room for");
        break;
    case VFIO_USER_REGION_READ:
        prove(__CPROVER_w_ok(vfio_user_reply_data(&reply, request), request->access.count), "room for what is loaded");
        break;
    case VFIO_USER_REGION_WRITE:
        vfio_user_reply_stored(&reply, request);
        break;
    default:
        vfio_user_reply_error(&reply, request, nondet_int());
        break;
    }
    prove(reply.size >= VFIO_USER_HEADER_BYTES && reply.size <= sizeof(reply.bytes), "a reply fits");
}

void prove_request(void)
{
    uint8_t header[VFIO_USER_HEADER_BYTES];
    struct vfio_user_request request;
    size_t size = 0, num_fds = nondet_size();
    uint8_t *message;

    if (vfio_user_check_header(header, &size))
        return;
    prove(size >= VFIO_USER_HEADER_BYTES && size <= VFIO_USER_MAX_MESSAGE, "a message that fits");
    message = malloc(size);
    if (vfio_user_parse(message, size, num_fds, &request))
        return;
    prove(request.body == message + VFIO_USER_HEADER_BYTES && request.body_size == size - VFIO_USER_HEADER_BYTES,
          "the body is behind the header");
    if (request.command == VFIO_USER_REGION_READ || request.command == VFIO_USER_REGION_WRITE)
        prove_access(&request, message, size);
    if (request.command == VFIO_USER_SET_IRQS)
        prove_irqs(&request, message, size, num_fds);
    prove_reply(&request);
    reached();
}
