/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events and interrupts. The VM's interrupt controller drops an injection while the interrupt is pending, as
 * libsel4vm's does on Arm. These tests try each way to lose an event by that.
 */
#include "../device/stores.h"
#include "fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sel4vm/boot.h>

#include "../../src/vmm/connection.h"

#define IRQ FIRST_IRQ

static int emitted;
static int emit_result;
static uint32_t driver_state;
static int driver_changes;

static int count_emit(void *cookie)
{
    *(int *)cookie += 1;
    return emit_result;
}

static void note_driver(void *cookie, uint32_t state)
{
    (void)cookie;
    driver_state = state;
    driver_changes++;
}

static crossvm_connection_t *install(struct fixture *f, const char *name)
{
    crossvm_connection_config_t config = {
        .name = name, .emit = count_emit, .driver_changed = note_driver, .cookie = &emitted};
    crossvm_connection_t *c = NULL;

    emitted = 0;
    emit_result = 0;
    driver_state = CROSSVM_DRIVER_NONE;
    assert_int_equal(crossvm_install(&f->bus, &config, 1, &c), 0);
    return c;
}

/* A connection whose driver compares sequences. */
static crossvm_connection_t *install_bound(struct fixture *f, const char *name)
{
    crossvm_connection_t *c = install(f, name);

    guest_enable(f, c);
    guest_store(f, bar(c, 0) + CROSSVM_REG_DRIVER, 4, CROSSVM_DRIVER_BOUND);
    return c;
}

static bool pending(struct fixture *f)
{
    return kvm_test_irq_pending(&f->vm, IRQ);
}

static void eoi(struct fixture *f)
{
    assert_int_equal(kvm_test_irq_eoi(&f->vm, IRQ), 0);
}

/* --- guest to peer --- */

static void emit_with_cookie_and_result(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");
    crossvm_connection_info_t info;

    guest_store(f, bar(c, 0), 4, 0);
    guest_store(f, bar(c, 0), 1, 0xff);
    guest_store(f, bar(c, 0), 8, ~0ULL);
    assert_int_equal(emitted, 3);
    emit_result = -EIO;
    guest_store(f, bar(c, 0), 2, 7);
    crossvm_get_connection_info(c, &info);
    assert_int_equal(info.emits, 4);
    assert_int_equal(info.failed_emits, 1);
    assert_int_equal(log_take(), 0);
}

static void emit_without_a_receiver_is_counted(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_config_t config = {.name = "a"};
    crossvm_connection_t *c;
    crossvm_connection_info_t info;

    assert_int_equal(crossvm_install(&f->bus, &config, 1, &c), 0);
    for (int i = 0; i < 1000; i++)
        guest_store(f, bar(c, 0), 4, 0);
    crossvm_get_connection_info(c, &info);
    assert_int_equal(info.failed_emits, 1000);
    assert_int_equal(log_take(), 0);
}

/* Every store, through the handler of faults; none logs a line. */
static void every_width_offset_and_value(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");
    uint8_t expected[STORES_PAGE];
    unsigned int emits = 0;
    struct store store;

    crossvm_count(c, 0x01020304);
    for (size_t i = 0; i < sizeof(expected); i += sizeof(uint32_t)) {
        uint32_t word = page_word(c, i);

        memcpy(expected + i, &word, sizeof(word));
    }
    for (size_t i = 0; stores_get(i, &store); i++) {
        if (store.width > sizeof(store.value) || store.offset + store.width > STORES_PAGE)
            continue; /* no instruction reports these as one store */
        guest_store(f, bar(c, 0) + store.offset, store.width, store.value);
        emits += stores_emits(&store, false);
        stores_apply(&store, expected);
        assert_int_equal(emitted, emits);
        for (size_t k = store.offset & ~3UL; k < store.offset + store.width; k += sizeof(uint32_t)) {
            uint32_t word = page_word(c, k);

            assert_memory_equal(&word, expected + k, sizeof(word));
        }
    }
    for (size_t i = 0; i < sizeof(expected); i += sizeof(uint32_t)) {
        uint32_t word = page_word(c, i);

        assert_memory_equal(&word, expected + i, sizeof(word));
    }
    assert_int_equal(log_take(), 0);
}

static void loads_that_trap_give_0(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");
    uint64_t value = 99;

    assert_int_equal(kvm_test_fault(f->vm.vcpus[0], bar(c, 0) + 0x800, 4, true, 0, &value), FAULT_HANDLED);
    assert_int_equal(value, 0);
}

/* On Arm, libsel4vm gives the length 0 to an access that it cannot decode, and any question about its data ends the
 * VMM. */
static void accesses_that_cannot_be_decoded_are_skipped(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");
    crossvm_connection_t *with_dataport = install_one(f, "b");
    vm_vcpu_t *vcpu = f->vm.vcpus[BOOT_VCPU];

    crossvm_count(c, 5);
    assert_int_equal(kvm_test_fault(vcpu, bar(c, 0) + CROSSVM_REG_EMIT, 0, false, 1, NULL), FAULT_IGNORE);
    assert_int_equal(kvm_test_fault(vcpu, bar(c, 0) + CROSSVM_REG_COUNT, 0, false, 1, NULL), FAULT_IGNORE);
    assert_int_equal(kvm_test_fault(vcpu, bar(c, 0) + CROSSVM_REG_COUNT, 0, true, 0, NULL), FAULT_IGNORE);
    assert_int_equal(kvm_test_fault(vcpu, bar(with_dataport, 1), 0, true, 0, NULL), FAULT_IGNORE);
    assert_int_equal(emitted, 0);
    assert_int_equal(page_word(c, CROSSVM_REG_COUNT), 5);
    assert_int_equal(log_take(), 0);
}

/* --- peer to guest: INTx --- */

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

/* --- MSI --- */

static void enable_msi(struct fixture *f, const crossvm_connection_t *c)
{
    guest_config_write(f, c, 0x04, 2, 0x0406);
    guest_config_write(f, c, 0x44, 4, 0xfee00000);
    guest_config_write(f, c, 0x4c, 2, 0x41);
    guest_config_write(f, c, 0x42, 2, 0x0001);
}

static uint64_t msis(struct fixture *f)
{
    kvm_test_snapshot_t snapshot;

    kvm_test_snapshot(&f->vm, &snapshot);
    return snapshot.msis;
}

static void msi_instead_of_intx(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c = install(f, "a");
    crossvm_connection_info_t info;

    enable_msi(f, c);
    crossvm_consume_event(c);
    crossvm_consume_event(c);
    assert_int_equal(msis(f), 2);
    assert_false(pending(f));
    crossvm_get_connection_info(c, &info);
    assert_true(info.msi_enabled);
    guest_config_write(f, c, 0x42, 2, 0);
    guest_config_write(f, c, 0x04, 2, 0x0002);
    assert_true(pending(f)); /* INTx again, and events wait */
}

static bool routed;
static bool route_answer;

static bool route(void *cookie, const crossvm_msi_t *message)
{
    (void)cookie;
    routed = message != NULL;
    if (message) {
        assert_true(message->address == 0xfee00000);
        assert_int_equal(message->data, 0x41);
    }
    return route_answer && message;
}

static void msi_without_the_vmm(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_config_t config = {.name = "a", .route_msi = route, .peer_page = frames_make(1, 12)[0]};
    crossvm_connection_t *c;

    route_answer = true;
    assert_int_equal(crossvm_install(&f->bus, &config, 1, &c), 0);
    assert_int_equal(page_word(c, CROSSVM_REG_STATUS), 0);
    enable_msi(f, c);
    assert_true(routed);
    assert_int_equal(page_word(c, CROSSVM_REG_STATUS), CROSSVM_STATUS_PEER_COUNTS);
    guest_store(f, bar(c, 0) + CROSSVM_REG_DRIVER, 4, CROSSVM_DRIVER_BOUND);
    crossvm_set_peer_state(c, CROSSVM_PEER_PRESENT); /* a change of the peer's state still comes by MSI */
    assert_int_equal(msis(f), 1);
    guest_config_write(f, c, 0x04, 2, 0); /* no bus master any more */
    assert_false(routed);
    assert_int_equal(page_word(c, CROSSVM_REG_STATUS), 0);

    route_answer = false;
    enable_msi(f, c);
    assert_true(routed);
    assert_int_equal(page_word(c, CROSSVM_REG_STATUS), 0);
    crossvm_remove(c);
    assert_false(routed);
}

static void platform_without_msi(void **state)
{
    struct fixture *f = *state;
    crossvm_connection_t *c;

    f->bus.send_msi = NULL;
    c = install(f, "a");
    assert_int_equal(log_take(), 1); /* once for the VM */
    assert_non_null(strstr(log_last, "INTx only"));
    install(f, "b");
    assert_int_equal(log_take(), 0);
    assert_int_equal(guest_config_read(f, c, 0x34, 1), 0x50);
    assert_int_equal(guest_config_read(f, c, 0x51, 1), 0);
    enable_msi(f, c);
    guest_config_write(f, c, 0x04, 2, 0x0002);
    crossvm_consume_event(c);
    assert_true(pending(f));
}

/* --- peer state, reset --- */

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

static int counted;

static int count_counted(void *cookie)
{
    (void)cookie;
    counted++;
    return 0;
}

/* Between guests: the VMM counts stores to EMIT; the guest counts in its own page before it stores to DOORBELL. */
static void own_page_and_its_doorbell(void **state)
{
    struct fixture *f = *state;
    const seL4_CPtr *frames = frames_make(2, 12);
    crossvm_connection_config_t config = {.name = "a",
                                          .emit = count_emit,
                                          .emit_counted = count_counted,
                                          .cookie = &emitted,
                                          .end = 1,
                                          .peer_page = frames[0],
                                          .own_page = frames[1]};
    crossvm_connection_t *c;
    crossvm_connection_info_t info;
    uint64_t value = 1;

    emitted = counted = 0;
    assert_int_equal(crossvm_install(&f->bus, &config, 1, &c), 0);
    crossvm_get_connection_info(c, &info);
    assert_int_equal(info.bar_size[0], 0x4000);
    assert_int_equal(page_word(c, CROSSVM_REG_END), 1);
    assert_int_equal(page_word(c, CROSSVM_REG_FEATURES), CROSSVM_FEATURE_PEER_PAGE | CROSSVM_FEATURE_OWN_PAGE);
    assert_int_equal(crossvm_get_register(c, CROSSVM_REG_END), 1);
    guest_store(f, bar(c, 0) + CROSSVM_REG_EMIT, 4, 1);
    assert_int_equal(emitted, 1);
    guest_store(f, bar(c, 0) + CROSSVM_REG_DOORBELL, 1, 1);
    guest_store(f, bar(c, 0) + CROSSVM_REG_DOORBELL, 8, 1);
    assert_int_equal(counted, 2);
    assert_int_equal(emitted, 1);
    crossvm_get_connection_info(c, &info);
    assert_int_equal(info.emits, 3);
    /* The fourth page has no content. */
    assert_int_equal(kvm_test_fault(f->vm.vcpus[BOOT_VCPU], bar(c, 0) + 0x3ffc, 4, true, 0, &value), FAULT_HANDLED);
    assert_int_equal(value, 0);
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

static int remove_at_emit(void *cookie)
{
    crossvm_remove(*(crossvm_connection_t **)cookie);
    return -EPIPE;
}

static void emit_may_remove_its_connection(void **state)
{
    struct fixture *f = *state;
    static crossvm_connection_t *c;
    crossvm_connection_config_t config = {.name = "a", .emit = remove_at_emit, .cookie = &c};

    assert_int_equal(crossvm_install(&f->bus, &config, 1, &c), 0);
    guest_store(f, bar(c, 0), 4, 0);
    assert_null(crossvm_find(&f->vm, "a"));
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
        FIXTURE_TEST(emit_with_cookie_and_result),
        FIXTURE_TEST(emit_without_a_receiver_is_counted),
        FIXTURE_TEST(every_width_offset_and_value),
        FIXTURE_TEST(accesses_that_cannot_be_decoded_are_skipped),
        FIXTURE_TEST(loads_that_trap_give_0),
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
        FIXTURE_TEST(msi_instead_of_intx),
        FIXTURE_TEST(msi_without_the_vmm),
        FIXTURE_TEST(platform_without_msi),
        FIXTURE_TEST(peer_state_wakes_and_counts_generations),
        FIXTURE_TEST(programs_are_new_generations),
        FIXTURE_TEST(the_vmm_is_told_of_programs),
        FIXTURE_TEST(own_page_and_its_doorbell),
        FIXTURE_TEST(peers_come_and_go_unseen_by_the_base_block),
        FIXTURE_TEST(emit_may_remove_its_connection),
        FIXTURE_TEST(reset_twice),
    };

    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
