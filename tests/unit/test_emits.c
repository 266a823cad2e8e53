/* SPDX-License-Identifier: BSD-2-Clause */
/* What a guest stores: emits, and accesses that are none. */
#include "../device/stores.h"
#include "events_fixture.h"

#include <errno.h>
#include <string.h>

#include <sel4vm/boot.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(emit_with_cookie_and_result),
        FIXTURE_TEST(emit_without_a_receiver_is_counted),
        FIXTURE_TEST(every_width_offset_and_value),
        FIXTURE_TEST(loads_that_trap_give_0),
        FIXTURE_TEST(accesses_that_cannot_be_decoded_are_skipped),
        FIXTURE_TEST(own_page_and_its_doorbell),
        FIXTURE_TEST(emit_may_remove_its_connection),
    };

    return cmocka_run_group_tests_name("emits", tests, NULL, NULL);
}
