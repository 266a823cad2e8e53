/* SPDX-License-Identifier: BSD-2-Clause */
/* Events before a driver is there, and loading the driver. */
#include "cases.h"

#include <stdio.h>
#include <string.h>

#include <crossvm/crossvm.h>

#include "../harness/case.h"
#include "../harness/end.h"
#include "device.h"
#include "platform.h"
#include "uio.h"
#include "vmm.h"

static void never_bound_device_interrupts_nobody(void)
{
    uint32_t command = pci_config_read(0, info("unbound").pci >> 3, 0, 0x04);
    /* With memory space on, as newer kernels leave it, the device may raise its line once. The guest masks the line. */
    uint64_t limit = command & 0x02 ? 1 : 0;

    do_command(CONTROL_FLOOD, "unbound", 150000, 0);
    wait_for_flood();
    CHECK(info("unbound").events >= 150000, "%llu events", (unsigned long long)info("unbound").events);
    CHECK(info("unbound").injections <= limit, "%llu interrupts, command 0x%x",
          (unsigned long long)info("unbound").injections, command & 0xffff);
}

static void events_before_the_driver(void)
{
    do_command(CONTROL_EMIT, "early", 2, 0);
    do_command(CONTROL_EMIT, "early-msi", 2, 0);
    CHECK(reg32(device("early"), CROSSVM_REG_COUNT) == 2, "COUNT is %u", reg32(device("early"), CROSSVM_REG_COUNT));
    load_driver();
    for (size_t i = 0; i < num_devices; i++)
        CHECK(uio_number(devices[i].name) >= 0, "%s is not bound", devices[i].name);
}

/* Regression: the first waiter blocked although the count was 2. */
static void first_waiter_does_not_block(void)
{
    struct uio uio = uio_open("early");

    CHECK(uio_is_readable(&uio), "a read() would block");
    uio_close(&uio);
    uio = uio_open("early-msi");
    CHECK(uio_is_readable(&uio), "a read() with MSI would block");
    uio_close(&uio);
}

static void library_counts_early_events(void)
{
    crossvm_end_t *end = end_open("early");

    end_take_exactly(end, 2);
    crossvm_close(end);
    end = end_open("early");
    CHECK(crossvm_wait(end, CROSSVM_NOW) == 0, "events that the program before had seen");
    do_command(CONTROL_EMIT, "early", 3, 0);
    end_take_exactly(end, 3);
    CHECK(crossvm_wait(end, CROSSVM_NOW) == 0, "events that there were not");
    crossvm_close(end);
}

void early_cases(void)
{
    RUN(never_bound_device_interrupts_nobody);
    RUN(events_before_the_driver);
    RUN(first_waiter_does_not_block);
    RUN(library_counts_early_events);
}
