/* SPDX-License-Identifier: BSD-2-Clause */
/* A hundred connections in one VM, and two VMs in one VMM. */
#include "cases.h"

#include <stdio.h>
#include <string.h>

#include <crossvm/crossvm.h>

#include "../harness/case.h"
#include "../harness/end.h"
#include "device.h"
#include "uio.h"
#include "vmm.h"

static void a_hundred_connections_are_bound(void)
{
    CHECK(num_devices == 101, "%zu devices", num_devices);
    load_driver();
    for (size_t i = 0; i < num_devices; i++)
        CHECK(uio_number(devices[i].name) >= 0, "%s is not bound", devices[i].name);
}

static void each_of_them_works(void)
{
    for (size_t i = 0; i < num_devices; i++) {
        const char *name = devices[i].name;
        uint64_t emits;
        crossvm_end_t *end;

        if (strcmp(name, CONTROL_NAME) == 0)
            continue;
        emits = info(name).emits;
        end = end_open(name);
        end_emit(end);
        CHECK(info(name).emits == emits + 1, "%s: the VMM saw %llu events", name,
              (unsigned long long)(info(name).emits - emits));
        do_command(CONTROL_EMIT, name, 1, 0);
        end_take_exactly(end, 1);
        crossvm_close(end);
    }
}

void many_cases(void)
{
    RUN(a_hundred_connections_are_bound);
    RUN(each_of_them_works);
}

/* The other VM does the same at the same time, with connections of the same names and identifiers. */
static void rounds_beside_another_vm(void)
{
    crossvm_end_t *end;

    load_driver();
    end = end_open("pair");
    do_command(CONTROL_PEER, "pair", CONTROL_PEER_ECHO, 0);
    for (int i = 0; i < 2000; i++) {
        end_emit(end);
        end_take_exactly(end, 1);
    }
    do_command(CONTROL_PEER, "pair", CONTROL_PEER_NONE, 0);
    crossvm_close(end);
    CHECK(info("pair").events == 2000 && info("pair").emits == 2000, "%llu events, %llu emits",
          (unsigned long long)info("pair").events, (unsigned long long)info("pair").emits);
}

void pair_cases(void)
{
    RUN(rounds_beside_another_vm);
}
