/* SPDX-License-Identifier: BSD-2-Clause */
/* INTx of the device as a VMM has it over vfio-user (docs/device.md, section 6.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <crossvm/device.h>

#include "hub_fixture.h"
#include "vmm.h"

static void unmask(int vmm)
{
    uint32_t body[] = {20, 0x11, 0, 0, 1};
    struct vmm_reply reply;

    vmm_ask(vmm, VMM_SET_IRQS, body, sizeof(body), &reply);
    assert_int_equal(reply.error, 0);
}

static bool is_pending(int vmm)
{
    return vmm_load(vmm, VMM_CONFIG, 6, 2) & 8;
}

static void line_interrupts(void **state)
{
    int vmm = vmm_start("x"), intx = eventfd(0, EFD_CLOEXEC);
    crossvm_end_t *end = hub_open("x");

    (void)state;
    vmm_set_irq(vmm, 0, intx);
    /* Disabled: pending, and raised when it is enabled. */
    crossvm_emit(end);
    vmm_await_event(vmm, 1);
    assert_int_equal(vmm_take_interrupts(intx), 0);
    assert_true(is_pending(vmm));
    vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE, 1);
    vmm_set_command(vmm, VMM_MEMORY);
    assert_int_equal(vmm_take_interrupts(intx), 1);
    /* Masked until the guest ended it; what came meanwhile raises it once more. */
    crossvm_emit(end);
    crossvm_emit(end);
    vmm_await_event(vmm, 3);
    assert_int_equal(vmm_take_interrupts(intx), 0);
    unmask(vmm);
    assert_int_equal(vmm_take_interrupts(intx), 1);
    unmask(vmm);
    assert_int_equal(vmm_take_interrupts(intx), 0);
    crossvm_emit(end);
    vmm_await_event(vmm, 4);
    assert_int_equal(vmm_take_interrupts(intx), 1);
    /* An acknowledgement takes the cause away. */
    vmm_store32(vmm, CROSSVM_REG_SEEN, 4);
    assert_false(is_pending(vmm));
    /* As uio_pci_generic does: disable, acknowledge, enable. */
    unmask(vmm);
    vmm_set_command(vmm, VMM_MEMORY | VMM_INTX_DISABLE);
    crossvm_emit(end);
    vmm_await_event(vmm, 5);
    assert_int_equal(vmm_take_interrupts(intx), 0);
    vmm_set_command(vmm, VMM_MEMORY);
    assert_int_equal(vmm_take_interrupts(intx), 1);
    close(intx);
    close(vmm);
    crossvm_close(end);
}

/* Signals it, and waits until the hub has done what it does then. */
static void signal_unmask(int vmm, int eventfd)
{
    struct pollfd taken = {.fd = eventfd, .events = POLLIN};

    assert_int_equal(eventfd_write(eventfd, 1), 0);
    while (poll(&taken, 1, 0) == 1)
        (void)vmm_load32(vmm, CROSSVM_REG_MAGIC);
    (void)vmm_load32(vmm, CROSSVM_REG_MAGIC);
}

/* As KVM ends a level-triggered interrupt: it signals an eventfd. */
static void a_line_that_an_eventfd_unmasks(void **state)
{
    int vmm = vmm_start("x"), intx = eventfd(0, EFD_CLOEXEC), resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int next = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    crossvm_end_t *end = hub_open("x");
    uint64_t sequence = 0, count;

    (void)state;
    vmm_set_irq(vmm, 0, intx);
    assert_int_equal(vmm_set_unmask(vmm, resample), 0);
    vmm_store32(vmm, CROSSVM_REG_DRIVER_ALONE, 1);
    vmm_set_command(vmm, VMM_MEMORY);
    for (int i = 0; i < 100; i++) {
        crossvm_emit(end);
        vmm_await_event(vmm, ++sequence);
        assert_int_equal(vmm_take_interrupts(intx), 1);
        crossvm_emit(end);
        vmm_await_event(vmm, ++sequence);
        assert_int_equal(vmm_take_interrupts(intx), 0);
        signal_unmask(vmm, resample); /* what came meanwhile raises it once more */
        assert_int_equal(vmm_take_interrupts(intx), 1);
        signal_unmask(vmm, resample);
        assert_int_equal(vmm_take_interrupts(intx), 0);
    }
    /* Another one takes its place, and counts at once if it was signalled before. */
    crossvm_emit(end);
    vmm_await_event(vmm, ++sequence);
    crossvm_emit(end);
    vmm_await_event(vmm, ++sequence);
    assert_int_equal(vmm_take_interrupts(intx), 1);
    assert_int_equal(vmm_set_unmask(vmm, next), 0);
    (void)vmm_await_interrupt(intx);
    assert_int_equal(eventfd_read(next, &count), -1);
    crossvm_emit(end);
    vmm_await_event(vmm, ++sequence);
    assert_int_equal(eventfd_write(resample, 1), 0);
    (void)vmm_load32(vmm, CROSSVM_REG_MAGIC);
    assert_int_equal(vmm_take_interrupts(intx), 0);
    assert_int_equal(eventfd_read(resample, &count), 0); /* nobody took it */
    /* Messages do it as well. */
    unmask(vmm);
    assert_int_equal(vmm_take_interrupts(intx), 1);
    /* None, and with the interrupt itself it goes, too. */
    assert_int_equal(vmm_set_unmask(vmm, -1), 0);
    assert_int_equal(eventfd_write(next, 1), 0);
    (void)vmm_load32(vmm, CROSSVM_REG_MAGIC);
    assert_int_equal(eventfd_read(next, &count), 0);
    assert_int_equal(vmm_set_unmask(vmm, resample), 0);
    vmm_set_irq(vmm, 0, -1);
    assert_int_equal(eventfd_write(resample, 1), 0);
    (void)vmm_load32(vmm, CROSSVM_REG_MAGIC);
    assert_int_equal(eventfd_read(resample, &count), 0);
    close(next);
    close(resample);
    close(intx);
    close(vmm);
    crossvm_close(end);
}

/* A driver that left without a word: after 100 interrupts that it did not handle the line is silent. */
static void silence(void **state)
{
    int vmm = vmm_start("x"), intx = eventfd(0, EFD_CLOEXEC);
    crossvm_end_t *end = hub_open("x");
    uint64_t interrupts = 0;

    (void)state;
    vmm_set_irq(vmm, 0, intx);
    vmm_set_command(vmm, VMM_MEMORY);
    for (uint64_t i = 1; i <= 150; i++) {
        crossvm_emit(end);
        vmm_await_event(vmm, i);
        interrupts += vmm_take_interrupts(intx);
        unmask(vmm);
    }
    assert_int_equal(interrupts, 100);
    vmm_store32(vmm, CROSSVM_REG_DRIVER, 1); /* this shows a driver, which gets what is pending */
    assert_int_equal(vmm_take_interrupts(intx), 1);
    close(intx);
    close(vmm);
    crossvm_close(end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HUB_TEST(line_interrupts),
        HUB_TEST(a_line_that_an_eventfd_unmasks),
        HUB_TEST(silence),
    };

    return cmocka_run_group_tests_name("interrupts", tests, NULL, NULL);
}
