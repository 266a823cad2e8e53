/* SPDX-License-Identifier: BSD-2-Clause */
/* A hundred connections in one VM, and two VMs in one VMM. */
#include "cases.h"
#include "harness.h"

#include <stdio.h>
#include <string.h>

#include <crossvm/crossvm.h>

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
        CHECK(crossvm_open(&end, name) == 0, "%s", crossvm_strerror());
        CHECK(crossvm_emit(end) == 0, "%s: emit", name);
        CHECK(info(name).emits == emits + 1, "%s: the VMM saw %llu events", name,
              (unsigned long long)(info(name).emits - emits));
        do_command(CONTROL_NOTIFY, name, 1, 0);
        CHECK(crossvm_wait(end, crossvm_deadline_after_ms(10000)) == 1, "%s: not one event", name);
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
    CHECK(crossvm_open(&end, "pair") == 0, "%s", crossvm_strerror());
    do_command(CONTROL_PEER, "pair", CONTROL_PEER_ECHO, 0);
    for (int i = 0; i < 2000; i++) {
        CHECK(crossvm_emit(end) == 0, "emit: %s", crossvm_strerror());
        CHECK(crossvm_wait(end, crossvm_deadline_after_ms(10000)) == 1, "not one event in round %d", i);
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
