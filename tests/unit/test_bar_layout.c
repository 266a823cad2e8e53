/* SPDX-License-Identifier: BSD-2-Clause */
/* The addresses of BARs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/vmm/bar_layout.h"

#define BASE 0xc0000000ULL
#define END 0x100000000ULL
#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)

static void large_ones_first_without_gaps(void **state)
{
    struct range bars[] = {{0, KIB(4)},  {0, KIB(4)},  {0, KIB(4)}, {0, KIB(64)},
                           {0, KIB(16)}, {0, MIB(64)}, {0, KIB(4)}};
    struct range *requests[7];
    size_t total = 0;

    (void)state;
    for (size_t i = 0; i < 7; i++) {
        requests[i] = &bars[i];
        total += bars[i].size;
    }
    assert_int_equal(cvmm_bar_layout_assign(BASE, BASE + total, NULL, 0, requests, 7), 0);
    assert_int_equal(bars[5].address, BASE);
    assert_int_equal(bars[3].address, BASE + MIB(64));
    assert_int_equal(bars[4].address, BASE + MIB(64) + KIB(64));
    /* Equal sizes stay in order. */
    assert_true(bars[0].address < bars[1].address && bars[1].address < bars[2].address &&
                bars[2].address < bars[6].address);
}

static void does_not_fit(void **state)
{
    struct range bar = {0, MIB(2)};
    struct range *request = &bar;

    (void)state;
    assert_int_equal(cvmm_bar_layout_assign(BASE + KIB(4), BASE + MIB(4), NULL, 0, &request, 1), 0);
    assert_int_equal(bar.address, BASE + MIB(2)); /* a multiple of its size */
    request = &bar;
    assert_int_equal(cvmm_bar_layout_assign(BASE + KIB(4), BASE + MIB(4) - 1, NULL, 0, &request, 1), -1);
    assert_int_equal(cvmm_bar_layout_assign(END - MIB(1), END, NULL, 0, &request, 1), -1);
}

static bool overlap(const struct range *a, const struct range *b)
{
    return a->address < b->address + b->size && b->address < a->address + a->size;
}

static void random_layouts_are_sound(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 500; round++) {
        struct range used[8];
        struct range bars[24];
        struct range *requests[24];

        for (size_t i = 0; i < 8; i++)
            used[i] = (struct range){BASE + KIB(4) * (size_t)(rand() % 4096), KIB(4) << rand() % 6};
        for (size_t i = 0; i < 24; i++) {
            bars[i] = (struct range){0, KIB(4) << rand() % 10};
            requests[i] = &bars[i];
        }
        assert_int_equal(cvmm_bar_layout_assign(BASE, END, used, 8, requests, 24), 0);
        for (size_t i = 0; i < 24; i++) {
            assert_true(bars[i].address >= BASE && bars[i].address + bars[i].size <= END);
            assert_int_equal(bars[i].address % bars[i].size, 0);
            for (size_t k = 0; k < 8; k++)
                assert_false(overlap(&bars[i], &used[k]));
            for (size_t k = 0; k < i; k++)
                assert_false(overlap(&bars[i], &bars[k]));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(large_ones_first_without_gaps),
        cmocka_unit_test(does_not_fit),
        cmocka_unit_test(random_layouts_are_sound),
    };

    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
