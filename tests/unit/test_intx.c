/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts by a line. These tests try each way to lose an event while the controller drops injections. */
#include "events_fixture.h"

#include <stdlib.h>

/* Regression: an event between the driver's last look and the end of the interrupt raised no interrupt. */
static void event_while_in_service_is_injected_again(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install_bound(f, "a");

    for (int i = 0; i < 5; i++) {
        crossvm_consume_event(c);
        assert_true(pending(f));
        crossvm_consume_event(c); /* dropped by the controller */
        eoi(f);
        assert_true(pending(f)); /* raised again */
        eoi(f);
        assert_false(pending(f)); /* but not without end */
    }
    assert_int_equal(page_word(c, CROSSVM_REG_EVENT_SEQ), 10);
}

static void shared_line_serves_both(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *a;
    crossvm_connection_t *b;

    irq_limit = IRQ;
    a = install_bound(f, "a");
    b = install_bound(f, "b");
    crossvm_consume_event(a);
    crossvm_consume_event(b);
    eoi(f);
    assert_true(pending(f)); /* for b */
    crossvm_consume_event(a);
    eoi(f);
    assert_true(pending(f)); /* for a */
    eoi(f);
    assert_false(pending(f));
}

static void driver_of_the_base_block_is_served_like_before(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");

    guest_enable(f, c);
    for (int i = 0; i < 300; i++) { /* more than make a device silent */
        crossvm_consume_event(c);
        assert_true(pending(f));
        assert_int_equal(page_word(c, CROSSVM_REG_COUNT), 1);
        guest_store(f, bar(c, 0) + CROSSVM_REG_COUNT, 4, 0);
        if (i % 2)
            crossvm_consume_event(c); /* between acknowledgement and end of interrupt */
        eoi(f);
        if (i % 2) {
            assert_true(pending(f));
            guest_store(f, bar(c, 0) + CROSSVM_REG_COUNT, 4, 0);
            eoi(f);
        }
        assert_false(pending(f));
    }
}

/* Regression: events before a driver is bound logged an error each. */
static void events_before_anyone_listens_are_kept(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");

    crossvm_consume_event(c);
    crossvm_consume_event(c);
    assert_false(pending(f)); /* memory space is disabled, so no driver is there */
    assert_int_equal(log_take(), 0);
    assert_int_equal(page_word(c, CROSSVM_REG_COUNT), 2);
    assert_int_equal(page_word(c, CROSSVM_REG_EVENT_SEQ), 2);
    guest_enable(f, c);
    assert_true(pending(f)); /* INTx is a level */
}

/* Regression: "Failed to inject" before the guest has set up its interrupt controller. */
static void events_while_the_interrupt_is_disabled_are_kept(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install_bound(f, "a");

    for (int i = 0; i < 3; i++) {
        assert_int_equal(kvm_test_irq_enable(&f->vm, IRQ, false), 0);
        crossvm_consume_event(c);
        crossvm_consume_event(c);
        assert_false(pending(f));
        assert_int_equal(log_take(), 0);
        assert_int_equal(kvm_test_irq_enable(&f->vm, IRQ, true), 0);
        assert_true(pending(f)); /* raised as soon as the guest enables the input */
        eoi(f);
        assert_false(pending(f));
    }
    assert_int_equal(page_word(c, CROSSVM_REG_EVENT_SEQ), 6);
}

/* The event comes while the interrupt is in service, and the guest disables the input before it ends it. */
static void event_in_service_survives_disabling(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install_bound(f, "a");

    crossvm_consume_event(c);
    crossvm_consume_event(c);
    assert_int_equal(kvm_test_irq_enable(&f->vm, IRQ, false), 0);
    (void)kvm_test_irq_eoi(&f->vm, IRQ);
    assert_int_equal(kvm_test_irq_enable(&f->vm, IRQ, true), 0);
    assert_true(pending(f));
}

static void peer_that_stays_absent_wakes_nobody(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install_bound(f, "a");

    crossvm_set_peer_state(c, CROSSVM_PEER_ABSENT);
    eoi(f);
    crossvm_set_peer_state(c, CROSSVM_PEER_ABSENT);
    assert_false(pending(f));
}

/* Regression: one device without a driver made Linux shut down the line that it shared. */
static void unanswered_device_falls_silent(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *unbound;
    crossvm_connection_t *other;
    int interrupts = 0;

    irq_limit = IRQ;
    unbound = install(f, "unbound");
    other = install_bound(f, "other");
    guest_enable(f, unbound); /* by a driver that left without disabling it */
    for (int i = 0; i < 100000; i++) {
        crossvm_consume_event(unbound);
        if (pending(f)) {
            interrupts++;
            eoi(f);
        }
    }
    assert_in_range(interrupts, 1, 1000);
    crossvm_consume_event(other);
    assert_true(pending(f));
    eoi(f);

    /* A sign of life: the interrupt that was held back comes. */
    guest_store(f, bar(unbound, 0) + CROSSVM_REG_COUNT, 4, 0);
    crossvm_consume_event(unbound);
    assert_true(pending(f));
    assert_int_equal(page_word(unbound, CROSSVM_REG_EVENT_SEQ), 100001);
}

static void a_driver_that_binds_late_ends_the_silence(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");

    guest_enable(f, c);
    for (int i = 0; i < 500; i++) {
        crossvm_consume_event(c);
        if (pending(f))
            eoi(f);
    }
    assert_false(pending(f));
    guest_store(f, bar(c, 0) + CROSSVM_REG_DRIVER, 4, CROSSVM_DRIVER_BOUND);
    assert_true(pending(f));
    assert_int_equal(driver_state, CROSSVM_DRIVER_BOUND);
}

static void unbound_by_our_driver_raises_nothing(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install_bound(f, "a");

    guest_store(f, bar(c, 0) + CROSSVM_REG_DRIVER, 4, CROSSVM_DRIVER_NONE);
    guest_config_write(f, c, 0x04, 2, 0x0402);
    crossvm_consume_event(c);
    assert_false(pending(f));
    assert_int_equal(driver_state, CROSSVM_DRIVER_NONE);
}

/* uio_pci_generic: mask in the command register, acknowledge, unmask, look. */
static void masking_by_command_register(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");

    guest_enable(f, c);
    crossvm_consume_event(c);
    assert_true(pending(f));
    assert_true(guest_config_read(f, c, 0x06, 2) & 0x0008);
    guest_config_write(f, c, 0x04, 2, 0x0402);
    eoi(f);
    assert_false(pending(f));
    guest_store(f, bar(c, 0) + CROSSVM_REG_SEEN, 4, 1);
    assert_false(guest_config_read(f, c, 0x06, 2) & 0x0008);
    guest_config_write(f, c, 0x04, 2, 0x0002);
    assert_false(pending(f));

    crossvm_consume_event(c);
    guest_config_write(f, c, 0x04, 2, 0x0402);
    eoi(f);
    guest_store(f, bar(c, 0) + CROSSVM_REG_SEEN, 4, 2);
    crossvm_consume_event(c); /* between acknowledging and unmasking */
    assert_false(pending(f));
    guest_config_write(f, c, 0x04, 2, 0x0002);
    assert_true(pending(f));
}

static void acknowledging_less_than_all_keeps_it_pending(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");

    crossvm_count(c, 2);
    crossvm_interrupt(c);
    guest_store(f, bar(c, 0) + CROSSVM_REG_SEEN, 4, 1);
    assert_true(guest_config_read(f, c, 0x06, 2) & 0x0008);
    assert_int_equal(page_word(c, CROSSVM_REG_SEEN), 1);
}

/* A random peer against a random driver. Whenever both are quiet, the driver has seen the last event. */
static void random_interleavings_lose_nothing(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c[2];
    uint32_t seen[2] = {0};

    srand(7);
    irq_limit = IRQ;
    c[0] = install_bound(f, "a");
    c[1] = install_bound(f, "b");
    for (int round = 0; round < 20000; round++) {
        int n = rand() % 4;

        for (int i = 0; i < n; i++)
            crossvm_consume_event(c[rand() % 2]);
        while (pending(f)) {
            for (int i = 0; i < 2; i++) {
                seen[i] = page_word(c[i], CROSSVM_REG_EVENT_SEQ);
                if (rand() % 3 == 0)
                    crossvm_consume_event(c[rand() % 2]); /* after the look, before the end */
            }
            eoi(f);
        }
        assert_int_equal(seen[0], page_word(c[0], CROSSVM_REG_EVENT_SEQ));
        assert_int_equal(seen[1], page_word(c[1], CROSSVM_REG_EVENT_SEQ));
    }
}

/*
 * The same with late acknowledgements, as on KVM, where a thread calls them: events may come after the guest has ended
 * the interrupt and before the module is told of the end.
 */
static void late_acknowledgements_lose_nothing(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install_bound(f, "a");
    uint32_t seen = 0;
    bool handling = false;
    bool ended = false;

    srand(11);
    for (int round = 0; round < 20000; round++) {
        for (int step = 0; step < 12 || handling || ended || pending(f); step++) {
            int action = rand() % 4;

            if (action == 0 && step < 12) {
                crossvm_consume_event(c);
            } else if (action == 1 && !handling && pending(f)) {
                handling = true;
                seen = page_word(c, CROSSVM_REG_EVENT_SEQ);
            } else if (action == 2 && handling) {
                handling = false;
                ended = true;
                assert_int_equal(kvm_test_irq_end(&f->vm, IRQ), 0);
            } else if (action == 3 && ended) {
                ended = false;
                kvm_test_irq_acknowledge(&f->vm, IRQ);
            }
        }
        assert_int_equal(seen, page_word(c, CROSSVM_REG_EVENT_SEQ));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(event_while_in_service_is_injected_again),
        FIXTURE_TEST(shared_line_serves_both),
        FIXTURE_TEST(driver_of_the_base_block_is_served_like_before),
        FIXTURE_TEST(events_before_anyone_listens_are_kept),
        FIXTURE_TEST(events_while_the_interrupt_is_disabled_are_kept),
        FIXTURE_TEST(event_in_service_survives_disabling),
        FIXTURE_TEST(peer_that_stays_absent_wakes_nobody),
        FIXTURE_TEST(unanswered_device_falls_silent),
        FIXTURE_TEST(a_driver_that_binds_late_ends_the_silence),
        FIXTURE_TEST(unbound_by_our_driver_raises_nothing),
        FIXTURE_TEST(masking_by_command_register),
        FIXTURE_TEST(acknowledging_less_than_all_keeps_it_pending),
        FIXTURE_TEST(random_interleavings_lose_nothing),
        FIXTURE_TEST(late_acknowledgements_lose_nothing),
    };

    return cmocka_run_group_tests_name("INTx", tests, NULL, NULL);
}
