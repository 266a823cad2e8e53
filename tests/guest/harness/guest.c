/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "case.h"
#include "end.h"

static void (*on_standstill)(const struct guest *guest);

void guest_on_standstill(void (*show)(const struct guest *guest))
{
    on_standstill = show;
}

/* run.sh looks for these words. */
__attribute__((noreturn)) static void stood_still(const struct guest *guest)
{
    (void)printf("%s: the guest stood still\n", guest->name);
    (void)fflush(stdout);
    on_standstill(guest);
    exit(EXIT_FAILURE);
}

static struct board *board(const struct guest *guest)
{
    return crossvm_dataport(guest->control, 0).address;
}

void guest_connect(struct guest *guest)
{
    int64_t deadline = now_ms() + HANG_MS;
    char name[CROSSVM_FULL_NAME_BYTES];

    (void)snprintf(name, sizeof(name), "control-%s", guest->name);
    while (crossvm_open(&guest->control, name)) {
        CHECK(now_ms() < deadline, "VM %s does not start: %s", guest->name, crossvm_strerror());
        usleep(10000); /* its socket is not there yet, and no event says when it is */
    }
    while (crossvm_peer_state(guest->control, NULL) != CROSSVM_PEER_READY) {
        if (now_ms() >= deadline)
            stood_still(guest);
        (void)crossvm_wait(guest->control, (crossvm_deadline_t){deadline * 1000000});
    }
}

static volatile uint32_t *last_word(const struct guest *guest)
{
    crossvm_dataport_t dataport = crossvm_dataport(guest->control, 0);

    return (volatile uint32_t *)((char *)dataport.address + dataport.size - sizeof(uint32_t));
}

uint32_t guest_mark(struct guest *guest)
{
    uint32_t generation;

    (void)crossvm_peer_state(guest->control, &generation);
    *last_word(guest) = generation;
    return generation;
}

void guest_await_successor(struct guest *guest, uint32_t before)
{
    int64_t deadline = now_ms() + 2 * HANG_MS;
    uint32_t generation, state;

    while ((state = crossvm_peer_state(guest->control, &generation)) != CROSSVM_PEER_READY || generation == before) {
        CHECK(now_ms() < deadline, "VM %s does not come again: its state is %u", guest->name, state);
        CHECK(crossvm_wait(guest->control, (crossvm_deadline_t){deadline * 1000000}) >= 0, "%s", crossvm_strerror());
    }
    CHECK(*last_word(guest) == before, "the memory is not what it was");
}

void guest_order(struct guest *guest, enum order_kind kind, uint32_t number)
{
    board(guest)->order.serial++;
    board(guest)->order.kind = kind;
    board(guest)->order.number = number;
    end_emit(guest->control);
}

/* Twice as long as the agent waits for anything: it says what it waited for. */
struct answer guest_answer(struct guest *guest)
{
    int64_t deadline = now_ms() + 2 * HANG_MS;
    struct answer answer;
    int events;

    do {
        if (now_ms() >= deadline)
            stood_still(guest);
        events = crossvm_wait(guest->control, (crossvm_deadline_t){deadline * 1000000});
        CHECK(events >= 0, "%s: %s", guest->name, crossvm_strerror());
    } while (events == 0);
    memcpy(&answer, &board(guest)->answer, sizeof(answer));
    answer.text[sizeof(answer.text) - 1] = '\0';
    CHECK(answer.done, "%s: %s", guest->name, answer.text);
    return answer;
}

struct answer guest_tell(struct guest *guest, enum order_kind kind, uint32_t number)
{
    guest_order(guest, kind, number);
    return guest_answer(guest);
}

struct answer guest_tell_of(struct guest *guest, enum order_kind kind, const char *connection)
{
    (void)snprintf(board(guest)->order.connection, sizeof(board(guest)->order.connection), "%s", connection);
    return guest_tell(guest, kind, 0);
}
