/* SPDX-License-Identifier: BSD-2-Clause */
/* What the guest driver does with a device that it has: its interrupts, its programs, and what it tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "device_fixture.h"

/* --- interrupts --- */

static void each_kind_of_device_has_its_interrupt(void **state)
{
    struct crossvm_device *cv = honest(0);

    (void)state;
    devices[0].pci.msi_offered = PCI_IRQ_MSI;
    devices[0].pci.intx = 1;
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    assert_true(cv->msi);
    assert_int_equal(cv->uio.handler(1, &cv->uio), IRQ_HANDLED);
    assert_int_equal(cv->uio.irq_flags, 0);

    cv = honest(0);
    devices[0].pci.intx = 1;
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    assert_false(cv->msi);
    assert_int_equal(cv->uio.irq, UIO_IRQ_CUSTOM); /* a line of ours */
    assert_int_equal(devices[0].pci.intx, 0);      /* until it is live */

    cv = honest(0);
    devices[0].pci.msi_offered = PCI_IRQ_MSI;
    put32(CROSSVM_REG_MAGIC, 0);
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    assert_false(cv->msi);
    assert_int_equal(cv->uio.irq_flags, IRQF_SHARED);

    cv = honest_region(0);
    assert_int_equal(crossvm_map_region(cv), 0);
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), -ENOSPC); /* INTx is none of ivshmem's */
    devices[0].pci.msi_offered = PCI_IRQ_MSIX;
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    assert_true(cv->msi);
}

static void the_peers_count_is_the_sequence_where_it_counts(void **state)
{
    struct crossvm_device *cv = honest(0);

    (void)state;
    devices[0].pci.msi_offered = PCI_IRQ_MSI;
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    put64(CROSSVM_REG_EVENT_SEQ, 7);
    put64(CROSSVM_REG_PEER_SEQ, 9);
    assert_int_equal(crossvm_sequence(cv), 7);
    put32(CROSSVM_REG_STATUS, CROSSVM_STATUS_PEER_COUNTS);
    assert_int_equal(crossvm_sequence(cv), 9);
    cv->msi = false;
    assert_int_equal(crossvm_sequence(cv), 7);

    put32(CROSSVM_REG_SEEN, 7);
    crossvm_notify_unseen(cv);
    assert_int_equal(seen.notified, 0);
    put32(CROSSVM_REG_SEEN, 6);
    crossvm_notify_unseen(cv);
    assert_int_equal(seen.notified, 1);
}

static void an_interrupt_of_the_base_block_is_acknowledged(void **state)
{
    struct crossvm_device *cv = honest(0);

    (void)state;
    put32(CROSSVM_REG_MAGIC, 0);
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    assert_int_equal(cv->uio.handler(1, &cv->uio), IRQ_NONE); /* another driver's */
    assert_int_equal(seen.stores, 0);
    put32(CROSSVM_REG_COUNT, 3);
    assert_int_equal(cv->uio.handler(1, &cv->uio), IRQ_HANDLED);
    assert_ptr_equal(seen.last_address, devices[0].bars[0] + CROSSVM_REG_COUNT);
    assert_int_equal(seen.last_value, 0);
    /* Whoever opens it later is told, once. */
    crossvm_notify_unseen(cv);
    crossvm_notify_unseen(cv);
    assert_int_equal(seen.notified, 1);
}

static void devices_of_a_line_are_told_apart(void **state)
{
    struct crossvm_device *first, *second;

    (void)state;
    (void)honest(1);
    first = honest(0);
    second = &devices[1].device;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(crossvm_describe(&devices[i].device), 0);
        assert_int_equal(crossvm_alloc_irq(&devices[i].device), 0);
        assert_int_equal(crossvm_join_line(&devices[i].device), 0);
    }
    assert_ptr_equal(first->line, second->line);
    (void)kernel_line.handler(1, kernel_line.argument); /* the state of before */
    seen.notified = 0;
    assert_int_equal(kernel_line.handler(1, kernel_line.argument), IRQ_NONE);
    cvmm_event_page_count(&devices[1].page, 1);
    assert_int_equal(kernel_line.handler(1, kernel_line.argument), IRQ_HANDLED);
    assert_int_equal(seen.notified, 1);
    assert_int_equal(kernel_line.handler(1, kernel_line.argument), IRQ_NONE);
    cvmm_event_page_set_peer(&devices[0].page, CROSSVM_PEER_READY, 1);
    assert_int_equal(kernel_line.handler(1, kernel_line.argument), IRQ_HANDLED);
    assert_int_equal(seen.notified, 2);

    crossvm_leave_line(first);
    cvmm_event_page_set_peer(&devices[0].page, CROSSVM_PEER_ABSENT, 1);
    assert_int_equal(kernel_line.handler(1, kernel_line.argument), IRQ_NONE);
    crossvm_leave_line(second); /* frees the line: the leak sanitizer looks for what nobody refers to */
    assert_null(second->line);
    kernel_line = (struct kernel_line){0};
    memset(devices, 0, sizeof(devices));
}

/* --- programs --- */

static struct crossvm_device *live(void)
{
    struct crossvm_device *cv = honest(0);

    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    crossvm_go_live(cv, true);
    return cv;
}

/* A store exits to the VMM. */
static void programs_are_told_of_by_as_few_stores_as_can_be(void **state)
{
    struct crossvm_device *cv = live();

    (void)state;
    assert_int_equal(seen.stores, 1);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_BOUND);
    assert_ptr_equal(seen.last_address, devices[0].bars[0] + CROSSVM_REG_DRIVER_ALONE);
    assert_int_equal(seen.intx_at_store, 0); /* DRIVER comes first: else the device stops raising them */
    assert_int_equal(devices[0].pci.intx, 1);
    assert_int_equal(crossvm_open(&cv->uio, NULL), 0);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_OPEN);
    assert_int_equal(crossvm_open(&cv->uio, NULL), 0);
    assert_int_equal(seen.stores, 2);
    assert_int_equal(crossvm_release(&cv->uio, NULL), 0);
    assert_int_equal(seen.stores, 2);
    assert_int_equal(crossvm_release(&cv->uio, NULL), 0);
    assert_int_equal(seen.stores, 3);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_BOUND);
    assert_int_equal(seen.files, 0);
    crossvm_go_quiet(cv);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_NONE);
    assert_int_equal(devices[0].pci.intx, 0);
    assert_int_equal(seen.intx_at_store, 0); /* and goes last */
    assert_int_equal(crossvm_open(&cv->uio, NULL), 0);
    assert_int_equal(seen.stores, 4); /* not while it is quiet */
    crossvm_go_live(cv, true);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_OPEN);
}

static void an_open_without_memory_is_none(void **state)
{
    struct crossvm_device *cv = live();

    (void)state;
    seen.no_memory = true;
    assert_int_equal(crossvm_open(&cv->uio, NULL), -ENOMEM);
    assert_int_equal(cv->openers, 0);
    assert_int_equal(seen.last_value, CROSSVM_DRIVER_BOUND);
}

/* OPEN over OPEN would say that another program came. After a hibernation, one may have. */
static void sleep_tells_of_nobody_anew(void **state)
{
    struct crossvm_device *cv = live();
    unsigned int stores;

    (void)state;
    assert_int_equal(crossvm_open(&cv->uio, NULL), 0);
    stores = seen.stores;
    crossvm_enable_intx(cv, false);
    seen.notified = 0;
    crossvm_go_live(cv, false);
    assert_int_equal(seen.stores, stores);
    assert_int_equal(devices[0].pci.intx, 1);
    assert_int_equal(seen.notified, 1); /* for what came meanwhile */
    crossvm_go_live(cv, true);
    assert_int_equal(seen.stores, stores + 1);
}

/* The hub may look only after several stores: so the word counts who came. */
static void the_hub_learns_of_each_that_came(void **state)
{
    struct crossvm_device *cv = honest_region(1);
    const uint8_t *doorbell = devices[0].bars[0] + CROSSVM_IVSHMEM_DOORBELL;
    u32 word;

    (void)state;
    assert_int_equal(crossvm_map_region(cv), 0);
    devices[0].pci.msi_offered = PCI_IRQ_MSIX;
    assert_int_equal(crossvm_describe(cv), 0);
    assert_int_equal(crossvm_alloc_irq(cv), 0);
    crossvm_go_live(cv, true);
    word = readl(cv->driver);
    assert_int_equal(word, CROSSVM_DRIVER_BOUND + CROSSVM_REGION_DRIVER_CAME);
    assert_ptr_equal(seen.last_address, doorbell); /* the word is there before the signal */
    assert_int_equal(seen.last_value, CROSSVM_IVSHMEM_TO_HUB);
    for (unsigned int i = 0; i < 2; i++) {
        assert_int_equal(crossvm_open(&cv->uio, NULL), 0);
        assert_int_equal(crossvm_release(&cv->uio, NULL), 0);
    }
    word = readl(cv->driver);
    assert_int_equal(word, CROSSVM_DRIVER_BOUND + 3 * CROSSVM_REGION_DRIVER_CAME); /* who goes, does not count */
    crossvm_go_live(cv, false);
    assert_int_equal(readl(cv->driver), word);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_device_has_its_interrupt),
        cmocka_unit_test(the_peers_count_is_the_sequence_where_it_counts),
        cmocka_unit_test(an_interrupt_of_the_base_block_is_acknowledged),
        cmocka_unit_test(devices_of_a_line_are_told_apart),
        cmocka_unit_test(programs_are_told_of_by_as_few_stores_as_can_be),
        cmocka_unit_test(an_open_without_memory_is_none),
        cmocka_unit_test(sleep_tells_of_nobody_anew),
        cmocka_unit_test(the_hub_learns_of_each_that_came),
    };

    return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
