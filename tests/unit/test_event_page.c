/* SPDX-License-Identifier: BSD-2-Clause */
/* The registers: every width, alignment and value at every offset (docs/device.md, section 4). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/vmm/event_page.h"
#include "../device/stores.h"

static _Alignas(8) uint8_t memory[CROSSVM_PAGE_SIZE];

static const struct event_page_identity identity = {
    .name = "sensor",
    .features = CROSSVM_FEATURE_PEER_PAGE | CROSSVM_FEATURE_OWN_PAGE,
    .end = 1,
    .num_dataports = 2,
    .dataports = {{.size = 0x3000, .rights = CROSSVM_RIGHT_READ, .bar = 1},
                  {.size = 0x10000, .rights = CROSSVM_RIGHT_READ | CROSSVM_RIGHT_WRITE, .bar = 2}},
};

static uint32_t word(size_t offset)
{
    uint32_t value;

    memcpy(&value, memory + offset, sizeof(value));
    return value;
}

static uint64_t quad(size_t offset)
{
    uint64_t value;

    memcpy(&value, memory + offset, sizeof(value));
    return value;
}

static void set_up(struct event_page *page)
{
    memset(memory, 0xaa, sizeof(memory));
    cvmm_event_page_init(page, memory, &identity);
}

static void power_on_values(void **state)
{
    struct event_page page;

    (void)state;
    set_up(&page);
    assert_int_equal(word(CROSSVM_REG_EMIT), 0);
    assert_int_equal(word(CROSSVM_REG_COUNT), 0);
    assert_string_equal((char *)memory + CROSSVM_REG_NAME, "sensor");
    assert_int_equal(word(CROSSVM_REG_MAGIC), 0x4d565843);
    assert_memory_equal(memory + CROSSVM_REG_MAGIC, "CXVM", 4);
    assert_int_equal(word(CROSSVM_REG_VERSION), 0x00010002);
    assert_int_equal(word(CROSSVM_REG_FEATURES), 3);
    assert_int_equal(word(CROSSVM_REG_NUM_DATAPORTS), 2);
    assert_int_equal(word(0x64), 1);
    assert_int_equal(word(CROSSVM_REG_DOORBELL), 0);
    assert_string_equal((char *)memory + CROSSVM_REG_FULL_NAME, "sensor");
    assert_int_equal(quad(0xc0), 0x3000);
    assert_int_equal(word(0xc8), 1);
    assert_int_equal(word(0xcc), 1);
    assert_int_equal(quad(0xd0), 0x10000);
    assert_int_equal(word(0xd8), 3);
    assert_int_equal(word(0xdc), 2);
    for (size_t offset = 0xe0; offset < sizeof(memory); offset++)
        assert_int_equal(memory[offset], 0);
}

static void base_block_device_has_nothing_else(void **state)
{
    struct event_page_identity base = identity;
    struct event_page page;

    (void)state;
    base.base_block_only = true;
    memset(memory, 0xaa, sizeof(memory));
    cvmm_event_page_init(&page, memory, &base);
    cvmm_event_page_count(&page, 3);
    cvmm_event_page_set_peer(&page, CROSSVM_PEER_PRESENT, 7);
    cvmm_event_page_set_status(&page, CROSSVM_STATUS_PEER_COUNTS);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_DRIVER, 4, 1), EVENT_PAGE_NOTHING);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_SEEN, 4, 3), EVENT_PAGE_NOTHING);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_DOORBELL, 4, 1), EVENT_PAGE_NOTHING);
    cvmm_event_page_reset(&page);
    assert_int_equal(word(CROSSVM_REG_COUNT), 3);
    for (size_t offset = CROSSVM_REG_MAGIC; offset < sizeof(memory); offset++)
        assert_int_equal(memory[offset], 0);
}

static void long_names_end_with_nul(void **state)
{
    static const char name[] = "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-012345678";
    struct event_page_identity named = identity;
    struct event_page page;

    (void)state;
    assert_int_equal(strlen(name), 63);
    named.name = name;
    cvmm_event_page_init(&page, memory, &named);
    assert_memory_equal(memory + CROSSVM_REG_NAME, name, 47);
    assert_int_equal(memory[CROSSVM_REG_NAME + 47], 0);
    assert_string_equal((char *)memory + CROSSVM_REG_FULL_NAME, name);
    assert_int_equal(word(CROSSVM_REG_MAGIC), CROSSVM_MAGIC);
}

/* What the device has to do for a store. */
static enum event_page_action expected_action(const struct event_page *page, const struct store *store)
{
    if (store->offset == CROSSVM_REG_DOORBELL)
        return EVENT_PAGE_DOORBELL;
    if (!stores_sets(store))
        return EVENT_PAGE_NOTHING; /* connection.c handles EMIT */
    if (store->offset == CROSSVM_REG_COUNT)
        return EVENT_PAGE_ACKNOWLEDGED;
    if (store->offset == CROSSVM_REG_SEEN)
        return store->value == (uint32_t)page->events ? EVENT_PAGE_ACKNOWLEDGED : EVENT_PAGE_NOTHING;
    return store->value == 2 || store->value != page->driver ? EVENT_PAGE_DRIVER_CHANGED : EVENT_PAGE_NOTHING;
}

static void every_width_offset_and_value(void **state)
{
    uint8_t expected[sizeof(memory)];
    struct event_page page;
    struct store store;

    (void)state;
    set_up(&page);
    cvmm_event_page_count(&page, 4);
    memcpy(expected, memory, sizeof(memory));
    for (size_t i = 0; stores_get(i, &store); i++) {
        enum event_page_action action = expected_action(&page, &store);

        assert_int_equal(cvmm_event_page_store(&page, store.offset, store.width, store.value), action);
        stores_apply(&store, expected);
        assert_memory_equal(memory, expected, sizeof(memory));
    }
    for (size_t offset = CROSSVM_PAGE_SIZE; offset < 2 * CROSSVM_PAGE_SIZE; offset++)
        assert_int_equal(cvmm_event_page_store(&page, offset, 4, 1), EVENT_PAGE_NOTHING);
    assert_memory_equal(memory, expected, sizeof(memory));
}

static void no_ring_without_an_own_page(void **state)
{
    struct event_page_identity without = identity;
    struct event_page page;

    (void)state;
    without.features = CROSSVM_FEATURE_PEER_PAGE;
    cvmm_event_page_init(&page, memory, &without);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_DOORBELL, 4, 1), EVENT_PAGE_NOTHING);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_DOORBELL, 1, 1), EVENT_PAGE_NOTHING);
}

static void counters(void **state)
{
    struct event_page page;

    (void)state;
    set_up(&page);
    cvmm_event_page_count(&page, 0xffffffff);
    cvmm_event_page_count(&page, 2);
    assert_int_equal(word(CROSSVM_REG_COUNT), 1);
    assert_true(quad(CROSSVM_REG_EVENT_SEQ) == 0x100000001ULL);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_COUNT, 4, 0), EVENT_PAGE_ACKNOWLEDGED);
    cvmm_event_page_count(&page, 1);
    assert_int_equal(word(CROSSVM_REG_COUNT), 1);
    assert_true(quad(CROSSVM_REG_EVENT_SEQ) == 0x100000002ULL);
}

static void peer_state_and_generation_are_one_word(void **state)
{
    struct event_page page;

    (void)state;
    set_up(&page);
    cvmm_event_page_set_peer(&page, CROSSVM_PEER_PRESENT, 0x11223344);
    assert_int_equal(word(CROSSVM_REG_PEER_STATE), CROSSVM_PEER_PRESENT);
    assert_int_equal(word(CROSSVM_REG_PEER_GENERATION), 0x11223344);
    cvmm_event_page_set_status(&page, CROSSVM_STATUS_PEER_COUNTS);
    assert_int_equal(word(CROSSVM_REG_STATUS), 1);
}

static void reset_keeps_events(void **state)
{
    struct event_page page;

    (void)state;
    set_up(&page);
    cvmm_event_page_count(&page, 4);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_SEEN, 4, 3), EVENT_PAGE_NOTHING);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_DRIVER, 4, 2), EVENT_PAGE_DRIVER_CHANGED);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_DRIVER, 4, 2), EVENT_PAGE_DRIVER_CHANGED);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_DRIVER, 4, 1), EVENT_PAGE_DRIVER_CHANGED);
    assert_int_equal(cvmm_event_page_store(&page, CROSSVM_REG_DRIVER, 4, 1), EVENT_PAGE_NOTHING);
    cvmm_event_page_reset(&page);
    assert_int_equal(word(CROSSVM_REG_SEEN), 0);
    assert_int_equal(word(CROSSVM_REG_DRIVER), 0);
    assert_int_equal(word(CROSSVM_REG_COUNT), 4);
    assert_int_equal(quad(CROSSVM_REG_EVENT_SEQ), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_on_values),
        cmocka_unit_test(base_block_device_has_nothing_else),
        cmocka_unit_test(long_names_end_with_nul),
        cmocka_unit_test(every_width_offset_and_value),
        cmocka_unit_test(no_ring_without_an_own_page),
        cmocka_unit_test(counters),
        cmocka_unit_test(peer_state_and_generation_are_one_word),
        cmocka_unit_test(reset_keeps_events),
    };

    return cmocka_run_group_tests_name("event_page", tests, NULL, NULL);
}
