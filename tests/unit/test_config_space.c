/* SPDX-License-Identifier: BSD-2-Clause */
/* PCI configuration space (docs/device.md, section 2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/vmm/config_space.h"

static const struct config_space_bar bars[CONFIG_SPACE_BARS] = {
    {.address = 0xc4000000, .size = 0x1000},
    {.address = 0xc0000000, .size = 0x4000000},
};

static void set_up(struct config_space *config, bool has_msi)
{
    cvmm_config_space_init(config, bars, 19, 2, has_msi);
}

static void identity(void **state)
{
    struct config_space config;

    (void)state;
    set_up(&config, true);
    assert_int_equal(cvmm_config_space_read(&config, 0x00, 4), 0xa1111af4);
    assert_int_equal(cvmm_config_space_read(&config, 0x04, 4), 0x00100000);
    assert_int_equal(cvmm_config_space_read(&config, 0x08, 4), 0x05000001);
    assert_int_equal(cvmm_config_space_read(&config, 0x0e, 1), 0);
    assert_int_equal(cvmm_config_space_read(&config, 0x2c, 4), 0xa1111af4);
    assert_int_equal(cvmm_config_space_read(&config, 0x30, 4), 0); /* no expansion ROM */
    assert_int_equal(cvmm_config_space_read(&config, 0x34, 1), 0x40);
    assert_int_equal(cvmm_config_space_read(&config, 0x3c, 2), 0x0213);
    assert_int_equal(cvmm_config_space_read(&config, 0x40, 4), 0x00805005);
}

/* Enhanced Allocation: an entry for each BAR, with its address and size. */
static void addresses_are_fixed(void **state)
{
    struct config_space config;

    (void)state;
    set_up(&config, true);
    assert_int_equal(cvmm_config_space_read(&config, 0x50, 4), 0x00020014);
    assert_int_equal(cvmm_config_space_read(&config, 0x54, 4), 0x80ff0002); /* BAR0, memory, enabled, 2 words more */
    assert_int_equal(cvmm_config_space_read(&config, 0x58, 4), 0xc4000000);
    assert_int_equal(cvmm_config_space_read(&config, 0x5c, 4), 0xffc);
    assert_int_equal(cvmm_config_space_read(&config, 0x60, 4), 0x80ff0012);
    assert_int_equal(cvmm_config_space_read(&config, 0x64, 4), 0xc0000000);
    assert_int_equal(cvmm_config_space_read(&config, 0x68, 4), 0x3fffffc);
    assert_int_equal(cvmm_config_space_read(&config, 0x6c, 4), 0);
}

static void without_msi_there_is_one_capability(void **state)
{
    struct config_space config;
    struct config_space_msi msi;

    (void)state;
    set_up(&config, false);
    assert_int_equal(cvmm_config_space_read(&config, 0x06, 2), 0x0010);
    assert_int_equal(cvmm_config_space_read(&config, 0x34, 1), 0x50);
    assert_int_equal(cvmm_config_space_read(&config, 0x51, 1), 0);
    cvmm_config_space_write(&config, 0x04, 2, 0x0006);
    cvmm_config_space_write(&config, 0x40, 4, 0xffffffff);
    assert_int_equal(cvmm_config_space_read(&config, 0x40, 4), 0);
    assert_false(cvmm_config_space_msi_enabled(&config, &msi));
}

static void bars_size_and_stay(void **state)
{
    struct config_space config;

    (void)state;
    set_up(&config, true);
    assert_int_equal(cvmm_config_space_read(&config, 0x10, 4), 0xc4000008);
    assert_int_equal(cvmm_config_space_read(&config, 0x14, 4), 0xc0000008);
    cvmm_config_space_write(&config, 0x10, 4, 0xffffffff);
    assert_int_equal(cvmm_config_space_read(&config, 0x10, 4), 0xfffff008);
    cvmm_config_space_write(&config, 0x14, 4, 0xffffffff);
    assert_int_equal(cvmm_config_space_read(&config, 0x14, 4), 0xfc000008);
    cvmm_config_space_write(&config, 0x10, 4, 0xc4000000);
    cvmm_config_space_write(&config, 0x14, 4, 0xdead0000); /* moves nothing */
    assert_int_equal(cvmm_config_space_read(&config, 0x10, 4), 0xc4000008);
    assert_int_equal(cvmm_config_space_read(&config, 0x14, 4), 0xc0000008);
    for (size_t bar = 0x18; bar <= 0x30; bar += 4) {
        if (bar == 0x2c)
            continue;
        cvmm_config_space_write(&config, bar, 4, 0xffffffff);
        assert_int_equal(cvmm_config_space_read(&config, bar, 4), 0);
    }
}

/* Of a 64-bit BAR between two others: both registers tell the size, and keep the address. */
static void a_64_bit_bar_has_two_registers(void **state)
{
    static const struct config_space_bar movable[CONFIG_SPACE_BARS] = {
        {.size = 0x8000}, {.size = 0x200000000, .wide = true}, {0}, {.size = 0x1000}, {.size = 0x1000, .wide = true}};
    static const uint32_t flags[] = {0x8, 0xc, 0, 0x8, 0xc, 0},
                          masks[] = {0xffff8000, 0, 0xfffffffe, 0xfffff000, 0xfffff000, 0xffffffff};
    struct config_space config;

    (void)state;
    cvmm_config_space_init_movable(&config, movable);
    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++)
        assert_int_equal(cvmm_config_space_read(&config, 0x10 + 4 * i, 4), flags[i]);
    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++)
        cvmm_config_space_write(&config, 0x10 + 4 * i, 4, 0xffffffff);
    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++)
        assert_int_equal(cvmm_config_space_read(&config, 0x10 + 4 * i, 4), masks[i] | flags[i]);
    /* The high word first, and by bytes */
    for (size_t i = CONFIG_SPACE_BARS; i-- > 0;) {
        for (size_t byte = 0; byte < 4; byte++)
            cvmm_config_space_write(&config, 0x10 + 4 * i + byte, 1, 0x87654321u >> (8 * byte) & 0xff);
    }
    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++)
        assert_int_equal(cvmm_config_space_read(&config, 0x10 + 4 * i, 4), (0x87654321 & masks[i]) | flags[i]);
    cvmm_config_space_reset(&config);
    for (size_t i = 0; i < CONFIG_SPACE_BARS; i++)
        assert_int_equal(cvmm_config_space_read(&config, 0x10 + 4 * i, 4), flags[i]);
}

static void bars_size_in_bytes_too(void **state)
{
    struct config_space config;

    (void)state;
    set_up(&config, true);
    for (size_t i = 0; i < 4; i++)
        cvmm_config_space_write(&config, 0x10 + i, 1, 0xff);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(cvmm_config_space_read(&config, 0x10 + i, 1), 0xfffff008U >> (8 * i) & 0xff);
}

/* Writes of each width at each offset change only the writable bits. */
static void only_writable_bits_change(void **state)
{
    static const uint32_t values[] = {0, 0xffffffff, 0xa5a5a5a5, 0x5a5a5a5a};
    uint8_t writable[CONFIG_SPACE_BYTES] = {
        [0x04] = 0x06, [0x05] = 0x04, [0x0c] = 0xff, [0x0d] = 0xff, [0x3c] = 0xff, [0x42] = 0x01, [0x44] = 0xfc};
    struct config_space config;
    struct config_space fresh;

    (void)state;
    memset(writable + 0x45, 0xff, 0x4e - 0x45);
    set_up(&fresh, true);
    for (size_t size = 1; size <= 4; size *= 2) {
        for (size_t offset = 0; offset < 0x140; offset++) {
            for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
                set_up(&config, true);
                cvmm_config_space_write(&config, offset, size, values[v]);
                for (size_t i = 0; i < CONFIG_SPACE_BYTES; i++) {
                    bool touched = i >= offset && i < offset + size;
                    uint8_t mask = touched ? writable[i] : 0;
                    uint8_t written = touched ? (uint8_t)(values[v] >> (8 * (i - offset))) : 0;

                    if (i >= 0x10 && i < 0x18)
                        continue; /* BARs have a test of their own, above */
                    assert_int_equal(config.bytes[i], (fresh.bytes[i] & ~mask) | (written & mask));
                }
            }
        }
    }
}

static void reads_beyond_the_end_give_0(void **state)
{
    struct config_space config;

    (void)state;
    set_up(&config, true);
    memset(config.bytes + 252, 0x77, 4);
    assert_int_equal(cvmm_config_space_read(&config, 254, 4), 0x7777);
    assert_int_equal(cvmm_config_space_read(&config, 256, 4), 0);
    assert_int_equal(cvmm_config_space_read(&config, SIZE_MAX, 1), 0);
    cvmm_config_space_write(&config, SIZE_MAX, 4, 0xffffffff);
    assert_int_equal(cvmm_config_space_read(&config, 0, 4), 0xa1111af4);
}

static void interrupts_follow_command_and_msi(void **state)
{
    struct config_space config;
    struct config_space_msi msi;

    (void)state;
    set_up(&config, true);
    assert_false(cvmm_config_space_intx_enabled(&config)); /* memory space is disabled */
    cvmm_config_space_write(&config, 0x04, 2, 0x0002);
    assert_true(cvmm_config_space_intx_enabled(&config));
    cvmm_config_space_write(&config, 0x04, 2, 0x0402);
    assert_false(cvmm_config_space_intx_enabled(&config));
    cvmm_config_space_write(&config, 0x04, 2, 0x0002);

    cvmm_config_space_write(&config, 0x44, 4, 0xfee01003);
    cvmm_config_space_write(&config, 0x48, 4, 0x00000001);
    cvmm_config_space_write(&config, 0x4c, 2, 0x4041);
    cvmm_config_space_write(&config, 0x42, 2, 0xffff);
    assert_int_equal(cvmm_config_space_read(&config, 0x42, 2), 0x0081);
    assert_false(cvmm_config_space_intx_enabled(&config));      /* MSI is on, */
    assert_false(cvmm_config_space_msi_enabled(&config, &msi)); /* but the device may not write */
    cvmm_config_space_write(&config, 0x04, 2, 0x0006);
    assert_true(cvmm_config_space_msi_enabled(&config, &msi));
    assert_true(msi.address == 0x1fee01000ULL);
    assert_int_equal(msi.data, 0x4041);

    cvmm_config_space_reset(&config);
    assert_false(cvmm_config_space_msi_enabled(&config, &msi));
    assert_int_equal(cvmm_config_space_read(&config, 0x04, 2), 0);
    assert_int_equal(cvmm_config_space_read(&config, 0x44, 4), 0);
    assert_int_equal(cvmm_config_space_read(&config, 0x42, 2), 0x0080);
}

static void pending_shows_in_status(void **state)
{
    struct config_space config;

    (void)state;
    set_up(&config, true);
    config.pending = true;
    assert_int_equal(cvmm_config_space_read(&config, 0x06, 2), 0x0018);
    cvmm_config_space_write(&config, 0x06, 2, 0xffff);
    assert_int_equal(cvmm_config_space_read(&config, 0x06, 2), 0x0018);
    config.pending = false;
    assert_int_equal(cvmm_config_space_read(&config, 0x06, 2), 0x0010);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity),
        cmocka_unit_test(addresses_are_fixed),
        cmocka_unit_test(without_msi_there_is_one_capability),
        cmocka_unit_test(bars_size_and_stay),
        cmocka_unit_test(a_64_bit_bar_has_two_registers),
        cmocka_unit_test(bars_size_in_bytes_too),
        cmocka_unit_test(only_writable_bits_change),
        cmocka_unit_test(reads_beyond_the_end_give_0),
        cmocka_unit_test(interrupts_follow_command_and_msi),
        cmocka_unit_test(pending_shows_in_status),
    };

    return cmocka_run_group_tests_name("config_space", tests, NULL, NULL);
}
