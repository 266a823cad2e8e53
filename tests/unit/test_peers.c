/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest and its peer hear of each other, and what a reset leaves of it. */
#include "events_fixture.h"

static void peer_state_wakes_and_counts_generations(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install_bound(f, "a");

    assert_int_equal(page_word(c, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_UNKNOWN);
    crossvm_set_peer_state(c, CROSSVM_PEER_PRESENT);
    assert_true(pending(f));
    eoi(f);
    crossvm_set_peer_state(c, CROSSVM_PEER_ABSENT);
    crossvm_set_peer_state(c, CROSSVM_PEER_PRESENT);
    assert_int_equal(page_word(c, CROSSVM_REG_PEER_STATE), CROSSVM_PEER_PRESENT);
    assert_int_equal(page_word(c, CROSSVM_REG_PEER_GENERATION), 2);
    assert_int_equal(page_word(c, CROSSVM_REG_EVENT_SEQ), 0);
}

/* Each step up is a new generation, and so is READY after READY. Steps down are not. */
static void programs_are_new_generations(void **state)
{
    static const struct {
        uint32_t state;
        uint32_t generation;
    } steps[] = {
        {CROSSVM_PEER_ABSENT, 0},  {CROSSVM_PEER_PRESENT, 1}, {CROSSVM_PEER_READY, 2},  {CROSSVM_PEER_READY, 3},
        {CROSSVM_PEER_PRESENT, 3}, {CROSSVM_PEER_READY, 4},   {CROSSVM_PEER_ABSENT, 4}, {CROSSVM_PEER_READY, 5},
    };
    struct fixture *f = *state;
    crossvm_connection_t *c = install_bound(f, "a");

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        crossvm_set_peer_state(c, steps[i].state);
        assert_int_equal(page_word(c, CROSSVM_REG_PEER_STATE), steps[i].state);
        assert_int_equal(page_word(c, CROSSVM_REG_PEER_GENERATION), steps[i].generation);
        assert_true(pending(f));
        eoi(f);
    }
    crossvm_set_peer_state(c, CROSSVM_PEER_ABSENT);
    assert_true(pending(f));
    eoi(f);
    crossvm_set_peer_state(c, CROSSVM_PEER_ABSENT);
    assert_false(pending(f));
}

/* A program opens the device, is killed unseen, and another opens it. */
static void the_vmm_is_told_of_programs(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install_bound(f, "a");
    uintptr_t reg = bar(c, 0) + CROSSVM_REG_DRIVER;

    driver_changes = 0;
    guest_store(f, reg, 4, CROSSVM_DRIVER_BOUND);
    assert_int_equal(driver_changes, 0);
    guest_store(f, reg, 4, CROSSVM_DRIVER_OPEN);
    assert_int_equal(driver_state, CROSSVM_DRIVER_OPEN);
    guest_store(f, reg, 4, CROSSVM_DRIVER_OPEN);
    assert_int_equal(driver_changes, 2);
    guest_store(f, reg, 4, 3);
    assert_int_equal(driver_changes, 2);
    assert_int_equal(page_word(c, CROSSVM_REG_DRIVER), CROSSVM_DRIVER_OPEN);
    crossvm_set_peer_state(c, CROSSVM_PEER_READY);
    assert_true(pending(f)); /* also with DRIVER 2 */
    eoi(f);
    guest_store(f, reg, 4, CROSSVM_DRIVER_BOUND);
    assert_int_equal(driver_state, CROSSVM_DRIVER_BOUND);
}

/* A driver that knows the base block only would not claim the interrupt, so it must not get it, nor become silent by
 * it. */
static void peers_come_and_go_unseen_by_the_base_block(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");

    guest_enable(f, c);
    for (int i = 0; i < 200; i++) {
        crossvm_set_peer_state(c, i % 2 ? CROSSVM_PEER_ABSENT : CROSSVM_PEER_PRESENT);
        assert_false(pending(f));
    }
    crossvm_consume_event(c);
    assert_true(pending(f));
}

static void reset_twice(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install_bound(f, "a");

    enable_msi(f, c);
    crossvm_consume_event(c);
    crossvm_reset_all(&f->vm);
    crossvm_reset_all(&f->vm);
    assert_int_equal(driver_state, CROSSVM_DRIVER_NONE);
    assert_int_equal(page_word(c, CROSSVM_REG_DRIVER), 0);
    assert_int_equal(page_word(c, CROSSVM_REG_EVENT_SEQ), 1);
    assert_int_equal(guest_config_read(f, c, 0x04, 2), 0);
    crossvm_consume_event(c);
    assert_false(pending(f));
    assert_int_equal(msis(f), 1);
    guest_enable(f, c);
    assert_true(pending(f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(peer_state_wakes_and_counts_generations),
        FIXTURE_TEST(programs_are_new_generations),
        FIXTURE_TEST(the_vmm_is_told_of_programs),
        FIXTURE_TEST(peers_come_and_go_unseen_by_the_base_block),
        FIXTURE_TEST(reset_twice),
    };

    return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}
