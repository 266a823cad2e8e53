/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stores to the event page and what each does: docs/device.md, section 4.3, in the tests' own words. One table for all
 * devices: tests run it against the module, against each door of the hub, and from a guest.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define STORES_PAGE 4096
#define STORES_REGISTERS 0x100 /* where the registers end; what is behind has no meaning */

struct store {
    size_t offset, width;
    uint64_t value; /* wider ones have zeros above */
};

static const uint64_t stores_values[] = {
    0xffffffffffffffff,
    0,
    1,
    2,
    3,
    4,
    0x80,
    0x100,
    0xffff,
    0x10000,
    0x12345678,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000001,
    0xa5a5a5a5a5a5a5a5,
};

static const size_t stores_widths[] = {1, 2, 3, 4, 5, 6, 7, 8, 16};

#define STORES_VALUES (sizeof(stores_values) / sizeof(stores_values[0]))
#define STORES_WIDTHS (sizeof(stores_widths) / sizeof(stores_widths[0]))

/* The store of a number: every width at every offset, across the end of the page, too; all values where there are
 * registers, and ones elsewhere. False after the last. */
static inline bool stores_get(size_t number, struct store *store)
{
    const size_t of_registers = STORES_REGISTERS * STORES_WIDTHS * STORES_VALUES;
    size_t value = 0;

    if (number < of_registers) {
        value = number % STORES_VALUES;
        number /= STORES_VALUES;
    } else {
        number -= of_registers;
        number += STORES_REGISTERS * STORES_WIDTHS;
    }
    store->width = stores_widths[number % STORES_WIDTHS];
    store->offset = number / STORES_WIDTHS;
    store->value = stores_values[value];
    if (store->width < sizeof(store->value))
        store->value &= (1ULL << (8 * store->width)) - 1;
    return store->offset < STORES_PAGE;
}

/* Whether an instruction of the guest makes it in one piece, whatever the machine. */
static inline bool stores_is_natural(const struct store *store)
{
    return store->width <= 8 && (store->width & (store->width - 1)) == 0 && store->offset % store->width == 0;
}

/* Whether it is an event to the peer. */
static inline bool stores_emits(const struct store *store, bool has_own_page)
{
    return store->offset == 0x00 || (has_own_page && store->offset == 0x68);
}

/* Whether the word at its offset becomes its value. */
static inline bool stores_sets(const struct store *store)
{
    if (store->width != 4)
        return false;
    return store->offset == 0x04 || store->offset == 0x54 || (store->offset == 0x58 && store->value <= 2);
}

/* Does to a copy of the page what the store does to the device's. */
static inline void stores_apply(const struct store *store, uint8_t page[STORES_PAGE])
{
    uint32_t word = (uint32_t)store->value;

    if (stores_sets(store))
        memcpy(page + store->offset, &word, sizeof(word));
}
