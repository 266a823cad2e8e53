/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses, and what command lines say of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../../src/forward/rules.h"

static void addresses_are_written_one_way(void **state)
{
    static const struct {
        const char *text, *written;
        int type;
    } cases[] = {
        {"22", "127.0.0.1:22", SOCK_STREAM},
        {"127.0.0.1:22", "127.0.0.1:22", SOCK_STREAM},
        {"localhost:65535", "127.0.0.1:65535", SOCK_STREAM},
        {"10.0.0.1:0", "10.0.0.1:0", SOCK_STREAM},
        {"[::1]:22", "[::1]:22", SOCK_STREAM},
        {"[0:0::0]:22", "[::]:22", SOCK_STREAM},
        {"/run/a.sock", "/run/a.sock", SOCK_STREAM},
        {"/run/a=b:c", "/run/a=b:c", SOCK_STREAM},
        {"seqpacket:/run/a.sock", "seqpacket:/run/a.sock", SOCK_SEQPACKET},
        {"vsock:2:5000", "vsock:2:5000", SOCK_STREAM},
        {"vsock:any:5000", "vsock:any:5000", SOCK_STREAM},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct address address;
        char text[ADDRESS_TEXT_BYTES];

        if (!address_parse(cases[i].text, NULL, &address))
            fail_msg("\"%s\" is no address", cases[i].text);
        assert_string_equal(address_format(text, &address), cases[i].written);
        assert_int_equal(address.type, cases[i].type);
    }
}

static void what_is_no_address(void **state)
{
    static const char *const texts[] = {
        "",
        "ssh",
        "65536",
        "-1",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:x",
        "host:22",
        "1.2.3:22",
        "[::1]",
        "[::1]22",
        "[::g]:22",
        "[127.0.0.1]:22",
        "a/b",
        "vsock:2",
        "vsock::2",
        "vsock:2:x",
        "vsock:x:2",
        "vsock:2:3:4",
        "seqpacket:22",
        "22:",
        "22:ssh",
        "22 ",
        "0x16",
        "vsock:4294967296:1",
        "vsock:1:4294967296",
        "/123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct address address;

        if (address_parse(texts[i], NULL, &address))
            fail_msg("\"%s\" is taken for an address", texts[i]);
    }
}

static void where_to_listen(void **state)
{
    static const struct {
        const char *text, *address, *target;
    } cases[] = {
        {"2222:ssh", "127.0.0.1:2222", "ssh"},
        {"2222:127.0.0.1:22", "127.0.0.1:2222", "127.0.0.1:22"},
        {"2222:22", "127.0.0.1:2222", "127.0.0.1:22"},
        {"0.0.0.0:2222:localhost:22", "0.0.0.0:2222", "127.0.0.1:22"},
        {"[::1]:2222:[::1]:22", "[::1]:2222", "[::1]:22"},
        {"/a.sock:/b.sock", "/a.sock", "/b.sock"},
        {"seqpacket:/a:seqpacket:/b", "seqpacket:/a", "seqpacket:/b"},
        {"vsock:any:5:vsock:2:6", "vsock:any:5", "vsock:2:6"},
    };
    static const char *const wrong[] = {"2222", "2222:", "ssh:22", "2222:a/b", "2222:..", "/a.sock", ":ssh"};
    static struct rules rules;
    char reason[RULES_REASON_BYTES], text[ADDRESS_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (!rules_add_listen(&rules, cases[i].text, reason))
            fail_msg("\"%s\" %s", cases[i].text, reason);
        assert_string_equal(address_format(text, &rules.listens[i].address), cases[i].address);
        assert_string_equal(rules.listens[i].target, cases[i].target);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (rules_add_listen(&rules, wrong[i], reason))
            fail_msg("\"%s\" is taken", wrong[i]);
    }
    assert_int_equal(rules.num_listens, sizeof(cases) / sizeof(cases[0]));
    while (rules.num_listens < RULES_MOST)
        assert_true(rules_add_listen(&rules, "0:a", reason));
    assert_false(rules_add_listen(&rules, "0:a", reason));
}

static const char *found(const struct rules *rules, const char *name)
{
    static char text[ADDRESS_TEXT_BYTES];
    const struct address *address = rules_find(rules, name);

    return address ? address_format(text, address) : "nothing";
}

static void what_is_allowed(void **state)
{
    static const char *const wrong[] = {"", "ssh", "ssh=", "=22", "22=23", "a=b=22", "23=/path", "ssh=25", "22"};
    static struct rules rules;
    char reason[RULES_REASON_BYTES], text[32];

    (void)state;
    assert_true(rules_add_allowed(&rules, "22", reason));
    assert_true(rules_add_allowed(&rules, "ssh=[::1]:22", reason));
    assert_true(rules_add_allowed(&rules, "/run/a=b", reason));
    assert_true(rules_add_allowed(&rules, "p=seqpacket:/run/p", reason));
    assert_string_equal(found(&rules, "127.0.0.1:22"), "127.0.0.1:22");
    assert_string_equal(found(&rules, "ssh"), "[::1]:22");
    assert_string_equal(found(&rules, "/run/a=b"), "/run/a=b");
    assert_string_equal(found(&rules, "p"), "seqpacket:/run/p");
    assert_string_equal(found(&rules, "[::1]:22"), "nothing"); /* it has a name, and no other */
    assert_string_equal(found(&rules, "22"), "nothing");
    assert_string_equal(found(&rules, ""), "nothing");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (rules_add_allowed(&rules, wrong[i], reason))
            fail_msg("\"%s\" is taken", wrong[i]);
    }
    assert_int_equal(rules.num_allowed, 4);
    for (unsigned int i = 0; rules.num_allowed < RULES_MOST; i++) {
        (void)snprintf(text, sizeof(text), "name-%u=22", i);
        assert_true(rules_add_allowed(&rules, text, reason));
    }
    assert_false(rules_add_allowed(&rules, "one-more=22", reason));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_written_one_way),
        cmocka_unit_test(what_is_no_address),
        cmocka_unit_test(where_to_listen),
        cmocka_unit_test(what_is_allowed),
    };

    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
