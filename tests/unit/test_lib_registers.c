/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program takes from a device's registers, whatever the device says. The registers are memory of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/lib/registers.h"

static uint8_t memory[CROSSVM_PAGE_SIZE] __attribute__((aligned(8)));

static const struct registers page = {.base = memory, .map = memory, .size = sizeof(memory), .extended = true};
static const struct registers base_block = {.base = memory, .map = memory, .size = sizeof(memory)};

static void store32(size_t offset, uint32_t value)
{
    memcpy(memory + offset, &value, sizeof(value));
}

static int clear(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    return 0;
}

/* On the heap, where a store behind the description is noticed. What was there before is not what the device says. */
static struct device_description *describe(const struct registers *registers, int expected)
{
    struct device_description *description = malloc(sizeof(*description));

    assert_non_null(description);
    memset(description, 0x55, sizeof(*description));
    assert_int_equal(cvm_registers_describe(registers, description), expected);
    return description;
}

static void all_is_copied(void **state)
{
    struct device_description *description;

    (void)state;
    memcpy(memory + CROSSVM_REG_FULL_NAME, "alpha", sizeof("alpha"));
    store32(CROSSVM_REG_VERSION, 0x10002);
    store32(CROSSVM_REG_END, 1);
    store32(CROSSVM_REG_NUM_DATAPORTS, CROSSVM_MAX_DATAPORTS);
    for (uint32_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++) {
        store32(CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_SIZE, 0x1000 * (i + 1));
        store32(CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_SIZE + 4, i);
        store32(CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_RIGHTS, 1 + 2 * (i % 2));
        store32(CROSSVM_REG_DATAPORT(i) + CROSSVM_DATAPORT_BAR, 5 - i);
    }
    description = describe(&page, 0);
    assert_string_equal(description->name, "alpha");
    assert_int_equal(description->version, 0x10002);
    assert_int_equal(description->end, 1);
    assert_int_equal(description->num_dataports, CROSSVM_MAX_DATAPORTS);
    for (uint32_t i = 0; i < CROSSVM_MAX_DATAPORTS; i++) {
        assert_int_equal(description->dataports[i].size, (uint64_t)i << 32 | 0x1000 * (i + 1));
        assert_int_equal(description->dataports[i].rights, 1 + 2 * (i % 2));
        assert_int_equal(description->dataports[i].bar, 5 - i);
    }
    free(description);
}

static void more_dataports_than_there_can_be_are_refused(void **state)
{
    static const uint32_t counts[] = {CROSSVM_MAX_DATAPORTS + 1, 16, 0x10000, 0x7fffffff, 0x80000000, UINT32_MAX};

    (void)state;
    memset(memory + CROSSVM_REG_DATAPORT(0), 0xff, 0x400);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct device_description *description;

        store32(CROSSVM_REG_NUM_DATAPORTS, counts[i]);
        description = describe(&page, -EPROTO);
        assert_int_equal(description->num_dataports, 0);
        free(description);
    }
}

static void the_end_is_0_or_1(void **state)
{
    (void)state;
    for (uint32_t end = 0; end < 100; end++) {
        struct device_description *description;

        store32(CROSSVM_REG_END, end % 10 ? end : UINT32_MAX - end);
        description = describe(&page, 0);
        assert_true(description->end <= 1);
        free(description);
    }
}

/* Of the extended block, the others follow directly. */
static void a_name_ends_where_it_must(void **state)
{
    static const struct {
        const struct registers *registers;
        size_t offset, bytes, longest;
    } names[] = {
        {&page, CROSSVM_REG_FULL_NAME, CROSSVM_FULL_NAME_BYTES, CROSSVM_FULL_NAME_BYTES - 1},
        {&base_block, CROSSVM_REG_NAME, CROSSVM_NAME_BYTES, CROSSVM_NAME_BYTES},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        for (size_t length = 0; length <= names[i].bytes + 8; length++) {
            size_t inside = length < names[i].bytes ? length : names[i].bytes;
            struct device_description *description;

            memset(memory, 0, sizeof(memory));
            memset(memory + names[i].offset, 'x', length);
            if (i == 0)
                store32(CROSSVM_REG_NUM_DATAPORTS, 0);
            description = describe(names[i].registers, 0);
            assert_int_equal(strlen(description->name), inside <= names[i].longest ? inside : 0);
            free(description);
        }
    }
}

static void a_name_leads_nowhere(void **state)
{
    static const char *const names[] = {"..", ".", "../x", "a/b", "a b", "\033[2J", "\xff", "a\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct device_description *description;

        memset(memory, 0, sizeof(memory));
        memcpy(memory + CROSSVM_REG_FULL_NAME, names[i], strlen(names[i]));
        memcpy(memory + CROSSVM_REG_NAME, names[i], strlen(names[i]));
        description = describe(&page, 0);
        assert_string_equal(description->name, "");
        free(description);
        description = describe(&base_block, 0);
        assert_string_equal(description->name, "");
        free(description);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_is_copied, clear),
        cmocka_unit_test_setup(more_dataports_than_there_can_be_are_refused, clear),
        cmocka_unit_test_setup(the_end_is_0_or_1, clear),
        cmocka_unit_test_setup(a_name_ends_where_it_must, clear),
        cmocka_unit_test_setup(a_name_leads_nowhere, clear),
    };

    return cmocka_run_group_tests_name("registers", tests, NULL, NULL);
}
