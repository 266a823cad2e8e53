/* SPDX-License-Identifier: BSD-2-Clause */
/* The greeting of `crossvm net`, as docs/net.md has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/net/hello.h"

static const uint8_t example[NET_HELLO_BYTES] = {
    0x43, 0x56, 0x4e, 0x54, /* CVNT */
    0x00, 0x00, 0x01, 0x00, /* version 1.0 */
    0x02, 0x00, 0x00, 0x00, /* IP */
    0xdc, 0x05, 0x00, 0x00, /* MTU 1500 */
    0x6f, 0x00, 0x00, 0x00, /* all offloads */
};

static void is_written_as_specified(void **state)
{
    const struct net_hello hello = {.layer = NET_IP, .mtu = 1500, .offloads = 0x6f};
    uint8_t bytes[NET_HELLO_BYTES];

    (void)state;
    net_hello_put(bytes, &hello);
    assert_memory_equal(bytes, example, sizeof(example));
}

static void is_read_as_specified(void **state)
{
    uint8_t longer[NET_HELLO_BYTES + 8] = {0};
    struct net_hello hello;

    (void)state;
    memcpy(longer, example, sizeof(example));
    longer[4] = 7; /* a later minor version says more */
    assert_null(net_hello_get(&hello, longer, sizeof(longer)));
    assert_int_equal(hello.layer, NET_IP);
    assert_int_equal(hello.mtu, 1500);
    assert_int_equal(hello.offloads, 0x6f);
}

static const char *complaint(size_t at, uint8_t value)
{
    uint8_t bytes[NET_HELLO_BYTES];
    struct net_hello hello;

    memcpy(bytes, example, sizeof(bytes));
    bytes[at] = value;
    return net_hello_get(&hello, bytes, sizeof(bytes));
}

static void others_are_not_taken(void **state)
{
    struct net_hello hello;

    (void)state;
    for (size_t length = 0; length < NET_HELLO_BYTES; length++)
        assert_string_equal(net_hello_get(&hello, example, length), "sent no greeting: is it `crossvm net`?");
    assert_string_equal(complaint(3, 'X'), "sent no greeting: is it `crossvm net`?");
    assert_non_null(strstr(complaint(6, 2), "another version"));
    assert_non_null(strstr(complaint(8, 0), "a kind that is not known"));
    assert_non_null(strstr(complaint(8, 3), "a kind that is not known"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_written_as_specified),
        cmocka_unit_test(is_read_as_specified),
        cmocka_unit_test(others_are_not_taken),
    };

    return cmocka_run_group_tests_name("hello", tests, NULL, NULL);
}
