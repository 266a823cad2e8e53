/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <crossvm/device.h>

#include "hub_fixture.h"
#include "neighbour.h"
#include "vmm.h"

#define PATIENCE crossvm_deadline_after_ms(600000) /* only bounds a hang */

static struct {
    crossvm_end_t *end;
    int vmm, msi;
    uint64_t events;
} neighbour;

void neighbour_start(void)
{
    neighbour.end = hub_open("y");
    neighbour.vmm = vmm_start("y");
    neighbour.msi = eventfd(0, EFD_CLOEXEC);
    neighbour.events = 0;
    vmm_store(neighbour.vmm, VMM_CONFIG, 4, 6, 2);
    vmm_set_irq(neighbour.vmm, 1, neighbour.msi);
}

void neighbour_check(void)
{
    assert_int_equal(crossvm_emit(neighbour.end), 0);
    (void)vmm_await_interrupt(neighbour.msi);
    assert_int_equal(vmm_load(neighbour.vmm, 0, CROSSVM_REG_EVENT_SEQ, 8), ++neighbour.events);
    vmm_store(neighbour.vmm, 0, CROSSVM_REG_EMIT, 1, 4);
    assert_int_equal(crossvm_wait(neighbour.end, PATIENCE), 1);
}

void neighbour_end(void)
{
    neighbour_check();
    close(neighbour.msi);
    close(neighbour.vmm);
    crossvm_close(neighbour.end);
}
