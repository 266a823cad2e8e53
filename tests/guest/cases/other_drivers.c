/* SPDX-License-Identifier: BSD-2-Clause */
/* Drivers other than ours: uio_pci_generic, and one that knows registers 0x00 to 0x37 only. */
#include "cases.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../harness/case.h"
#include "../harness/end.h"
#include "device.h"
#include "system.h"
#include "uio.h"
#include "vmm.h"

static void library_rounds(const char *name, int rounds)
{
    crossvm_end_t *end = end_open(name);

    do_command(CONTROL_PEER, name, CONTROL_PEER_ECHO, 0);
    for (int i = 0; i < rounds; i++) {
        end_emit(end);
        (void)end_take(end);
    }
    do_command(CONTROL_PEER, name, CONTROL_PEER_NONE, 0);
    crossvm_close(end);
}

static void give_to(const char *name, const char *from, const char *to)
{
    unbind_driver(from, name);
    override_driver(to, name);
    bind_driver(to, name);
}

static void uio_pci_generic_with_the_library(void)
{
    crossvm_end_t *end;

    give_to("generic", "crossvm", "uio_pci_generic");
    do_command(CONTROL_EMIT, "generic", 2, 0);
    end = end_open("generic");
    CHECK(end_info(end).via == CROSSVM_VIA_PCI_GENERIC, "it is not through uio_pci_generic");
    end_take_exactly(end, 2);
    CHECK(crossvm_wait(end, CROSSVM_NOW) == 0, "events that there were not");
    do_command(CONTROL_EMIT, "generic", 1, 0);
    end_take_exactly(end, 1);
    crossvm_close(end);
    library_rounds("generic", 1000);
    /* Its interrupt masks itself, so the line stays usable for the others. */
    do_command(CONTROL_FLOOD, "generic", 1000, 0);
    wait_for_flood();
    CHECK(kernel_log_count("nobody cared") == 0, "Linux disabled the shared interrupt");
    give_to("generic", "uio_pci_generic", "crossvm");
    override_driver("", "generic");
    library_rounds("generic", 10);
}

static void our_driver_on_a_device_of_the_base_block(void)
{
    crossvm_end_t *end;

    CHECK(reg32(device("base"), CROSSVM_REG_MAGIC) == 0, "it has an extended block");
    end = end_open("base");
    CHECK(end_info(end).via == CROSSVM_VIA_BASE_BLOCK, "it is known as something else");
    CHECK(crossvm_num_dataports(end) == 1 && crossvm_dataport(end, 0).size == 8192, "dataports");
    crossvm_close(end);
    library_rounds("base", 1000);
}

/* A driver that knows the base block only, see ../base_driver. */
static void a_driver_of_the_base_block_on_our_device(void)
{
    load_module("/lib/modules/base_driver.ko", "");
    unbind_driver("crossvm", "shared-b");
    override_driver("base_driver", "shared-b");
    bind_driver("base_driver", "shared-b");
    {
        struct uio uio = uio_open("shared-b");

        do_command(CONTROL_PEER, "shared-b", CONTROL_PEER_ECHO, 0);
        for (int i = 0; i < 2000; i++) {
            uio_emit(&uio);
            CHECK(uio_wait(&uio), "the interrupt of round %d is lost", i);
        }
        do_command(CONTROL_PEER, "shared-b", CONTROL_PEER_NONE, 0);
        uio_close(&uio);
    }
    CHECK(info("shared-b").driver_state == CROSSVM_DRIVER_NONE, "it told of itself");
}

/* It leaves without a store to the device, whose events go on. */
static void what_it_leaves_behind_falls_silent(void)
{
    uint64_t injections;

    unbind_driver("base_driver", "shared-b");
    override_driver("", "shared-b");
    injections = info("shared-b").injections;
    do_command(CONTROL_FLOOD, "shared-b", 150000, 0);
    wait_for_flood();
    injections = info("shared-b").injections - injections;
    CHECK(injections < 1000, "%llu interrupts for nobody", (unsigned long long)injections);
    CHECK(kernel_log_count("nobody cared") == 0, "Linux disabled the shared interrupt");
    library_rounds("shared-a", 100);
    bind_driver("crossvm", "shared-b");
    library_rounds("shared-b", 100);
}

void other_driver_cases(void)
{
    RUN(our_driver_on_a_device_of_the_base_block);
    RUN(uio_pci_generic_with_the_library);
    RUN(a_driver_of_the_base_block_on_our_device);
    RUN(what_it_leaves_behind_falls_silent);
}
