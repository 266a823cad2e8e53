/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounds with peers that answer at times of their own. If a wait does not end although the event came, it is lost. */
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

/* Waits until the sequence is at least that. */
static void wait_for(const char *name, struct uio *uio, uint32_t sequence)
{
    while ((int32_t)(uio_reg(uio, CROSSVM_REG_EVENT_SEQ) - sequence) < 0) {
        if (uio_wait(uio))
            continue;
        if ((int32_t)(uio_reg(uio, CROSSVM_REG_EVENT_SEQ) - sequence) >= 0)
            fail("%s: the interrupt of event %u is lost", name, sequence);
        fail("%s: the peer does not answer: %u of %u", name, uio_reg(uio, CROSSVM_REG_EVENT_SEQ), sequence);
    }
}

/* Sleeps for each wake-up even when the event is already there, so that each must come. */
static void rounds_on_two(const char *a_name, const char *b_name, uint32_t rounds, enum control_peer mode)
{
    struct uio a = uio_open(a_name);
    struct uio b = uio_open(b_name);
    uint32_t answers = mode == CONTROL_PEER_BURST ? 2 : 1;
    uint32_t seq_a = uio_reg(&a, CROSSVM_REG_EVENT_SEQ);
    uint32_t seq_b = uio_reg(&b, CROSSVM_REG_EVENT_SEQ);

    do_command(CONTROL_PEER, a_name, mode, 0);
    do_command(CONTROL_PEER, b_name, mode, 0);
    for (uint32_t i = 1; i <= rounds; i++) {
        uio_emit(&a);
        uio_emit(&b);
        wait_for(a_name, &a, seq_a + i * answers);
        wait_for(b_name, &b, seq_b + i * answers);
    }
    do_command(CONTROL_PEER, a_name, CONTROL_PEER_NONE, 0);
    do_command(CONTROL_PEER, b_name, CONTROL_PEER_NONE, 0);
    uio_close(&a);
    uio_close(&b);
}

static void ten_thousand_rounds_on_a_shared_line(void)
{
    CHECK(info("shared-a").irq == info("shared-b").irq, "the line is not shared");
    rounds_on_two("shared-a", "shared-b", 5000, CONTROL_PEER_ECHO);
    rounds_on_two("shared-a", "shared-b", 5000, CONTROL_PEER_BURST);
}

/* After the last event of a flood the guest must be woken, however many came before, and at whatever points in it. */
static void last_of_a_flood_wakes(void)
{
    struct uio uio = uio_open("shared-a");

    for (int i = 0; i < 200; i++) {
        uint32_t want = uio_reg(&uio, CROSSVM_REG_EVENT_SEQ) + 50;

        do_command(CONTROL_FLOOD, "shared-a", 50, 0);
        wait_for("shared-a", &uio, want);
    }
    wait_for_flood();
    uio_close(&uio);
}

static void msi_rounds(void)
{
    struct uio uio = uio_open("msi-echo");
    uint32_t sequence = uio_reg(&uio, CROSSVM_REG_EVENT_SEQ);

    do_command(CONTROL_PEER, "msi-echo", CONTROL_PEER_BURST, 0);
    for (uint32_t i = 1; i <= 5000; i++) {
        uio_emit(&uio);
        wait_for("msi-echo", &uio, sequence + 2 * i);
    }
    do_command(CONTROL_PEER, "msi-echo", CONTROL_PEER_NONE, 0);
    uio_close(&uio);
}

static void check_line_is_alive(void)
{
    CHECK(kernel_log_count("nobody cared") == 0, "Linux disabled the shared interrupt");
    rounds_on_two("shared-a", "shared-b", 50, CONTROL_PEER_ECHO);
}

/* Regression: Linux disabled the line, and every connection on it crawled. */
static void unbound_device_does_not_disturb(void)
{
    uint64_t injections;

    unbind_driver("crossvm", "unbound");
    injections = info("unbound").injections;
    do_command(CONTROL_FLOOD, "unbound", 150000, 0);
    rounds_on_two("shared-a", "shared-b", 200, CONTROL_PEER_ECHO);
    wait_for_flood();
    CHECK(info("unbound").injections == injections, "%llu interrupts",
          (unsigned long long)(info("unbound").injections - injections));
    check_line_is_alive();
    bind_driver("crossvm", "unbound");
}

static void changes_of_the_peer_wake(void)
{
    crossvm_end_t *end = end_open_fresh("shared-a");
    uint32_t before;
    uint32_t after;

    CHECK(crossvm_peer_state(end, &before) == CROSSVM_PEER_UNKNOWN, "the peer's state is known");
    do_command(CONTROL_PEER_STATE, "shared-a", CROSSVM_PEER_PRESENT, 0);
    CHECK(end_wait(end) == 0, "events that there were not");
    CHECK(crossvm_peer_state(end, &after) == CROSSVM_PEER_PRESENT && after == before + 1, "state or generation");
    do_command(CONTROL_PEER_STATE, "shared-a", CROSSVM_PEER_ABSENT, 0);
    CHECK(crossvm_peer_state(end, NULL) == CROSSVM_PEER_ABSENT, "the peer is there");
    crossvm_close(end);
}

static void library_rounds(void)
{
    crossvm_end_t *end = end_open_fresh("msi-echo");

    do_command(CONTROL_PEER, "msi-echo", CONTROL_PEER_ECHO, 0);
    for (int i = 0; i < 1000; i++) {
        end_emit(end);
        end_take_exactly(end, 1);
    }
    do_command(CONTROL_PEER, "msi-echo", CONTROL_PEER_NONE, 0);
    crossvm_close(end);
}

void event_cases(void)
{
    RUN(ten_thousand_rounds_on_a_shared_line);
    RUN(last_of_a_flood_wakes);
    RUN(msi_rounds);
    RUN(library_rounds);
    RUN(unbound_device_does_not_disturb);
    RUN(changes_of_the_peer_wake);
}
