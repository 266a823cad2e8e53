/* SPDX-License-Identifier: BSD-2-Clause */
/* The messages of vfio-user, without a socket: what is refused, what is taken, and what a reply has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "../../src/wire/vfio_user.h"

#define HEADER VFIO_USER_HEADER_BYTES
#define NO_REPLY 0x10u
#define ALL_MAPPABLE 0x7u /* readable, writable, mappable */
#define CAPABILITIES 0x8u

static uint8_t message[VFIO_USER_MAX_MESSAGE + 1];
static struct vfio_user_request request;
static struct vfio_user_reply reply;

static void put32(size_t offset, uint32_t value)
{
    memcpy(message + offset, &value, sizeof(value));
}

static void put64(size_t offset, uint64_t value)
{
    memcpy(message + offset, &value, sizeof(value));
}

static uint32_t reply32(size_t offset)
{
    uint32_t value;

    assert_true(offset + sizeof(value) <= reply.size);
    memcpy(&value, reply.bytes + offset, sizeof(value));
    return value;
}

static uint64_t reply64(size_t offset)
{
    return reply32(offset) | (uint64_t)reply32(offset + 4) << 32;
}

/* A message without body, of number 0x1234. */
static void begin(uint16_t command, uint32_t size, uint32_t flags)
{
    memset(message, 0, sizeof(message));
    put32(0, 0x1234u | (uint32_t)command << 16);
    put32(4, size);
    put32(8, flags);
}

static bool header_is_taken(uint32_t size, uint32_t flags)
{
    size_t found = 0;

    begin(VFIO_USER_RESET, size, flags);
    if (vfio_user_check_header(message, &found))
        return false;
    assert_int_equal(found, size);
    return true;
}

static void headers(void **state)
{
    size_t size;

    (void)state;
    assert_true(header_is_taken(HEADER, 0));
    assert_true(header_is_taken(HEADER, NO_REPLY));
    assert_true(header_is_taken(VFIO_USER_MAX_MESSAGE, 0));
    assert_false(header_is_taken(HEADER - 1, 0));
    assert_false(header_is_taken(VFIO_USER_MAX_MESSAGE + 1, 0));
    assert_false(header_is_taken(UINT32_MAX, 0));
    begin(VFIO_USER_RESET, HEADER, 0x1); /* a reply */
    assert_string_equal(vfio_user_check_header(message, &size), "is no command");
    assert_false(header_is_taken(HEADER, 0x20));
}

/* Whether the message that lies there is taken. */
static bool is_taken(size_t body, size_t num_fds)
{
    return vfio_user_parse(message, HEADER + body, num_fds, &request) == NULL;
}

static bool is_question_taken(uint16_t command, size_t body, uint32_t argsz, uint32_t index)
{
    begin(command, (uint32_t)(HEADER + body), 0);
    put32(HEADER, argsz);
    put32(HEADER + 8, index);
    return is_taken(body, 0);
}

static void questions(void **state)
{
    (void)state;
    assert_true(is_question_taken(VFIO_USER_GET_REGION_INFO, 32, 32, VFIO_USER_REGIONS - 1));
    assert_int_equal(request.info.index, VFIO_USER_REGIONS - 1);
    assert_int_equal(request.info.argsz, 32);
    assert_false(is_question_taken(VFIO_USER_GET_REGION_INFO, 32, 32, VFIO_USER_REGIONS));
    assert_false(is_question_taken(VFIO_USER_GET_REGION_INFO, 32, 31, 0));
    assert_false(is_question_taken(VFIO_USER_GET_REGION_INFO, 31, 32, 0));
    assert_false(is_question_taken(VFIO_USER_GET_REGION_INFO, 33, 32, 0));
    assert_true(is_question_taken(VFIO_USER_GET_IRQ_INFO, 16, 16, VFIO_USER_IRQS - 1));
    assert_false(is_question_taken(VFIO_USER_GET_IRQ_INFO, 16, 16, VFIO_USER_IRQS));
    assert_false(is_question_taken(VFIO_USER_GET_IRQ_INFO, 16, 15, 0));
    assert_true(is_question_taken(VFIO_USER_GET_INFO, 16, 0, 0));
    assert_false(is_question_taken(VFIO_USER_GET_INFO, 15, 0, 0));
}

static bool is_access_taken(uint16_t command, size_t body, uint64_t offset, uint32_t region, uint32_t count)
{
    begin(command, (uint32_t)(HEADER + body), 0);
    put64(HEADER, offset);
    put32(HEADER + 8, region);
    put32(HEADER + 12, count);
    return is_taken(body, 0);
}

static void accesses(void **state)
{
    const uint16_t load = VFIO_USER_REGION_READ, store = VFIO_USER_REGION_WRITE;

    (void)state;
    assert_true(is_access_taken(load, 16, 0x1122334455667788, 7, 4));
    assert_true(request.access.offset == 0x1122334455667788);
    assert_int_equal(request.access.region, 7);
    assert_int_equal(request.access.count, 4);
    assert_true(is_access_taken(store, 16 + 4, 0, 0, 4));
    assert_ptr_equal(request.access.data, message + HEADER + 16);
    assert_true(is_access_taken(store, 16 + VFIO_USER_MAX_TRANSFER, 0, 0, VFIO_USER_MAX_TRANSFER));
    assert_true(is_access_taken(load, 16, UINT64_MAX - 4, 0, 4));

    assert_false(is_access_taken(load, 15, 0, 0, 4));
    assert_false(is_access_taken(load, 16 + 4, 0, 0, 4));
    assert_false(is_access_taken(store, 16 + 3, 0, 0, 4));
    assert_false(is_access_taken(store, 16 + 5, 0, 0, 4));
    assert_false(is_access_taken(load, 16, 0, VFIO_USER_REGIONS, 4));
    assert_false(is_access_taken(load, 16, 0, 0, VFIO_USER_MAX_TRANSFER + 1));
    assert_false(is_access_taken(load, 16, UINT64_MAX - 3, 0, 4));
}

static bool are_irqs_taken(size_t body, uint32_t flags, uint32_t index, uint32_t start, uint32_t count, size_t num_fds)
{
    begin(VFIO_USER_SET_IRQS, (uint32_t)(HEADER + body), 0);
    put32(HEADER + 4, flags);
    put32(HEADER + 8, index);
    put32(HEADER + 12, start);
    put32(HEADER + 16, count);
    return is_taken(body, num_fds);
}

static void interrupts(void **state)
{
    (void)state;
    assert_true(are_irqs_taken(20, 0x24, VFIO_USER_MSI, 0, 1, 1));
    assert_int_equal(request.irqs.action, VFIO_USER_IRQ_TRIGGER);
    assert_int_equal(request.irqs.data, VFIO_USER_IRQ_EVENTFDS);
    assert_true(are_irqs_taken(20, 0x24, VFIO_USER_MSI, 0, 1, 0)); /* takes the one before away */
    assert_true(are_irqs_taken(20, 0x21, VFIO_USER_INTX, 0, 0, 0));
    assert_true(are_irqs_taken(20, 0x21, VFIO_USER_INTX, 1, 0, 0));
    assert_true(are_irqs_taken(21, 0x0a, VFIO_USER_INTX, 0, 1, 0));
    assert_int_equal(request.irqs.action, VFIO_USER_IRQ_MASK);
    assert_ptr_equal(request.irqs.bools, message + HEADER + 20);
    assert_true(are_irqs_taken(21, 0x12, VFIO_USER_INTX, 0, 1, 0));
    assert_int_equal(request.irqs.action, VFIO_USER_IRQ_UNMASK);

    assert_false(are_irqs_taken(19, 0x21, VFIO_USER_INTX, 0, 0, 0));
    assert_false(are_irqs_taken(20, 0x23, VFIO_USER_INTX, 0, 0, 0)); /* two kinds of data */
    assert_false(are_irqs_taken(20, 0x20, VFIO_USER_INTX, 0, 0, 0));
    assert_false(are_irqs_taken(20, 0x31, VFIO_USER_INTX, 0, 0, 0)); /* two actions */
    assert_false(are_irqs_taken(20, 0x41, VFIO_USER_INTX, 0, 0, 0));
    assert_false(are_irqs_taken(20, 0x21, VFIO_USER_IRQS, 0, 0, 0));
    assert_false(are_irqs_taken(20, 0x24, VFIO_USER_MSI, 0, 2, 1));
    assert_false(are_irqs_taken(20, 0x24, VFIO_USER_MSI, 1, 1, 1));
    assert_false(are_irqs_taken(20, 0x24, VFIO_USER_MSI, UINT32_MAX, 1, 1));
    assert_false(are_irqs_taken(20, 0x22, VFIO_USER_MSI, 0, 1, 0)); /* without its value */
    assert_false(are_irqs_taken(22, 0x22, VFIO_USER_MSI, 0, 1, 0));
    assert_false(are_irqs_taken(21, 0x22, VFIO_USER_MSI, 0, 1, 1)); /* with a descriptor that nobody expects */
    assert_false(are_irqs_taken(20, 0x24, VFIO_USER_MSI, 0, 0, 1));
}

static bool is_command_taken(uint16_t command, size_t body, size_t num_fds)
{
    begin(command, (uint32_t)(HEADER + body), 0);
    return is_taken(body, num_fds);
}

static void other_commands(void **state)
{
    (void)state;
    assert_true(is_command_taken(VFIO_USER_DMA_MAP, 32, 1));
    assert_false(is_command_taken(VFIO_USER_DMA_MAP, 31, 1));
    assert_false(is_command_taken(VFIO_USER_DMA_MAP, 32, 2));
    assert_true(is_command_taken(VFIO_USER_DMA_UNMAP, 24, 0));
    assert_false(is_command_taken(VFIO_USER_DMA_UNMAP, 25, 0));
    assert_true(is_command_taken(VFIO_USER_RESET, 0, 0));
    assert_false(is_command_taken(VFIO_USER_RESET, 1, 0));
    assert_false(is_command_taken(VFIO_USER_RESET, 0, 1));
    assert_true(is_command_taken(99, 5, 0));
    assert_false(request.known);

    assert_true(is_command_taken(VFIO_USER_VERSION, 4, 0));
    assert_false(is_command_taken(VFIO_USER_VERSION, 3, 0));
    begin(VFIO_USER_VERSION, HEADER + 6, NO_REPLY);
    memcpy(message + HEADER, "\1\0\2\0{", 6);
    assert_true(is_taken(6, 0));
    assert_int_equal(request.version.major, 1);
    assert_int_equal(request.version.minor, 2);
    assert_true(request.no_reply);
    assert_false(is_taken(5, 0)); /* its text does not end */
}

/* --- replies --- */

static void assert_reply(size_t body, uint32_t flags, uint32_t error)
{
    assert_int_equal(reply.size, HEADER + body);
    assert_int_equal(reply32(0) & 0xffff, 0x1234);
    assert_int_equal(reply32(0) >> 16, request.command);
    assert_int_equal(reply32(4), reply.size);
    assert_int_equal(reply32(8), flags);
    assert_int_equal(reply32(12), error);
}

static void replies(void **state)
{
    (void)state;
    assert_true(is_command_taken(VFIO_USER_DMA_UNMAP, 24, 0));
    vfio_user_reply_empty(&reply, &request);
    assert_reply(0, 0x1, 0);
    vfio_user_reply_error(&reply, &request, EINVAL);
    assert_reply(0, 0x21, EINVAL);
    put64(HEADER + 8, 77);
    vfio_user_reply_body(&reply, &request);
    assert_reply(24, 0x1, 0);
    assert_true(reply64(HEADER + 8) == 77);

    assert_true(is_access_taken(VFIO_USER_REGION_READ, 16, 8, 0, 4));
    memcpy(vfio_user_reply_data(&reply, &request), "data", 4);
    assert_reply(16 + 4, 0x1, 0);
    assert_int_equal(reply64(HEADER), 8);
    assert_memory_equal(reply.bytes + HEADER + 16, "data", 4);
    assert_true(is_access_taken(VFIO_USER_REGION_WRITE, 16 + 4, 8, 0, 4));
    vfio_user_reply_stored(&reply, &request);
    assert_reply(16, 0x1, 0);

    assert_true(is_question_taken(VFIO_USER_GET_IRQ_INFO, 16, 16, VFIO_USER_INTX));
    vfio_user_reply_irq(&reply, &request, 1);
    assert_int_equal(reply32(HEADER + 4), 0x7);
    assert_true(is_question_taken(VFIO_USER_GET_IRQ_INFO, 16, 16, VFIO_USER_MSI));
    vfio_user_reply_irq(&reply, &request, 1);
    assert_int_equal(reply32(HEADER + 4), 0x1);
    vfio_user_reply_irq(&reply, &request, 0);
    assert_int_equal(reply32(HEADER + 4), 0);
}

/* The descriptor goes with what tells where to map, and with nothing less. */
static void regions(void **state)
{
    struct vfio_user_region_info info = {.size = 0x5000, .writable = true};

    (void)state;
    assert_true(is_question_taken(VFIO_USER_GET_REGION_INFO, 32, 32, 2));
    assert_false(vfio_user_reply_region(&reply, &request, &info));
    assert_reply(32, 0x1, 0);
    assert_int_equal(reply32(HEADER), 32);
    assert_int_equal(reply32(HEADER + 4), ALL_MAPPABLE & ~0x4u);
    assert_int_equal(reply32(HEADER + 8), 2);
    assert_true(reply64(HEADER + 16) == 0x5000);

    info.mappable = true;
    info.map_size = 0x5000;
    info.file_offset = 0x7000;
    assert_true(vfio_user_reply_region(&reply, &request, &info));
    assert_int_equal(reply32(HEADER + 4), ALL_MAPPABLE);
    assert_true(reply64(HEADER + 24) == 0x7000);

    info.map_offset = 0x1000;
    info.map_size = 0x2000;
    assert_false(vfio_user_reply_region(&reply, &request, &info)); /* no room to say which part */
    assert_reply(32, 0x1, 0);
    assert_int_equal(reply32(HEADER), 64);
    assert_true(is_question_taken(VFIO_USER_GET_REGION_INFO, 32, 63, 2));
    assert_false(vfio_user_reply_region(&reply, &request, &info));
    assert_true(is_question_taken(VFIO_USER_GET_REGION_INFO, 32, 64, 2));
    assert_true(vfio_user_reply_region(&reply, &request, &info));
    assert_reply(64, 0x1, 0);
    assert_int_equal(reply32(HEADER + 4), ALL_MAPPABLE | CAPABILITIES);
    assert_int_equal(reply32(HEADER + 12), 32);
    assert_true(reply64(HEADER + 32 + 16) == 0x1000);
    assert_true(reply64(HEADER + 32 + 24) == 0x2000);

    info = (struct vfio_user_region_info){0};
    assert_false(vfio_user_reply_region(&reply, &request, &info));
    assert_int_equal(reply32(HEADER + 4), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers),    cmocka_unit_test(questions),      cmocka_unit_test(accesses),
        cmocka_unit_test(interrupts), cmocka_unit_test(other_commands), cmocka_unit_test(replies),
        cmocka_unit_test(regions),
    };

    return cmocka_run_group_tests_name("vfio_user", tests, NULL, NULL);
}
