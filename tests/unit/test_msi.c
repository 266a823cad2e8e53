/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupts by messages, with and without the VMM. */
#include "events_fixture.h"

#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(msi_instead_of_intx),
        FIXTURE_TEST(msi_without_the_vmm),
        FIXTURE_TEST(platform_without_msi),
    };

    return cmocka_run_group_tests_name("MSI", tests, NULL, NULL);
}
