/* SPDX-License-Identifier: BSD-2-Clause */
/* Which BARs dataports have (docs/device.md, section 3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/hub/pci_bars.h"

#define K 0x400ULL
#define M 0x100000ULL
#define G 0x40000000ULL

static const struct {
    const char *what; /* for readers */
    uint64_t sizes[CROSSVM_MAX_DATAPORTS];
    size_t num_dataports;
    int misfit;
    char layout[CONFIG_SPACE_BARS + 1]; /* of each register: E the event page, a dataport's number, h a high word, - */
    uint64_t bars[CROSSVM_MAX_DATAPORTS];
} table[] = {
    {"no dataport", {0}, 0, -1, "E-----", {0}},
    {"one", {4 * K}, 1, -1, "E0h---", {4 * K}},
    {"one that is large", {12 * G}, 1, -1, "E0h---", {16 * G}},
    {"two", {64 * K, 512 * M}, 2, -1, "E0h1h-", {64 * K, 512 * M}},
    {"the first of three is the smallest", {4 * K, 12 * K, 8 * K}, 3, -1, "E01h2h", {4 * K, 16 * K, 8 * K}},
    {"the second is", {8 * K, 4 * K, 12 * K}, 3, -1, "E0h12h", {8 * K, 4 * K, 16 * K}},
    {"the third is", {8 * K, 12 * K, 4 * K}, 3, -1, "E0h1h2", {8 * K, 16 * K, 4 * K}},
    {"three equal ones", {8 * K, 8 * K, 8 * K}, 3, -1, "E0h1h2", {8 * K, 8 * K, 8 * K}},
    {"the last of four is the largest", {1 * M, 2 * M, 3 * M, 4 * M}, 4, -1, "E0123h", {1 * M, 2 * M, 4 * M, 4 * M}},
    {"the first of four is", {5 * M, 2 * M, 3 * M, 4 * M}, 4, -1, "E0h123", {8 * M, 2 * M, 4 * M, 4 * M}},
    {"four equal ones", {2 * G, 2 * G, 2 * G, 2 * G}, 4, -1, "E0h123", {2 * G, 2 * G, 2 * G, 2 * G}},
    {"two large ones of three", {4 * G, 2 * G, 4 * G}, 3, -1, "E0h12h", {4 * G, 2 * G, 4 * G}},
    {"three large ones", {4 * G, 5 * G, 3 * G}, 3, 2, "", {0}},
    {"two large ones of four", {4 * G, 4 * K, 2 * G + 4 * K, 4 * K}, 4, 2, "", {0}},
};

static void layouts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct pci_bars bars;

        assert_int_equal(pci_bars_choose(&bars, table[i].sizes, table[i].num_dataports), table[i].misfit);
        if (table[i].misfit >= 0)
            continue;
        assert_true(bars.bars[0].size == 32 * K);
        for (size_t k = 0; k < CONFIG_SPACE_BARS; k++) {
            char kind = table[i].layout[k];
            int dataport = kind >= '0' && kind <= '3' ? kind - '0' : -1;

            assert_int_equal(bars.dataports[k], dataport);
            assert_int_equal(bars.bars[k].wide, table[i].layout[k + 1] == 'h');
            if (k > 0)
                assert_true(bars.bars[k].size == (dataport >= 0 ? table[i].bars[dataport] : 0));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layouts)};

    return cmocka_run_group_tests_name("bars", tests, NULL, NULL);
}
