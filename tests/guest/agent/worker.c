/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../harness/case.h"
#include "../harness/end.h"
#include "orders.h"
#include "stream.h"

struct task {
    crossvm_end_t *end;
    struct order order;
    struct answer answer;
};

static void tell_state(const crossvm_end_t *end, struct answer *answer)
{
    answer->number = crossvm_peer_state(end, &answer->generation);
    answer->end = crossvm_end_number(end);
}

static void send_events(crossvm_end_t *end, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        end_emit(end);
}

/* Stores n times to the first word of a BAR, whatever the rights to it. */
static void store_anyway(const crossvm_end_t *end, size_t bar, uint32_t value, uint32_t n)
{
    off_t offset = (off_t)bar * CROSSVM_PAGE_SIZE; /* by which UIO names maps */
    crossvm_end_info_t info = end_info(end);
    int fd = open(info.path, O_RDWR);
    volatile uint32_t *words = mmap(NULL, CROSSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);

    close(fd);
    CHECK(words != MAP_FAILED, "cannot map BAR %zu of %s: %s", bar, info.path, strerror(errno));
    for (uint32_t i = 0; i < n; i++)
        *words = value;
    (void)munmap((void *)words, CROSSVM_PAGE_SIZE);
}

static void ping(crossvm_end_t *end, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        end_emit(end);
        (void)end_take(end);
    }
}

static void echo(crossvm_end_t *end, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        (void)end_take(end);
        end_emit(end);
    }
}

static void write_words(const crossvm_end_t *end, uint32_t number)
{
    for (size_t i = 0; i < crossvm_num_dataports(end); i++)
        store_anyway(end, CROSSVM_BAR_DATAPORT + i, number, 1);
}

static void read_words(const crossvm_end_t *end, struct answer *answer)
{
    answer->number = *(volatile uint32_t *)crossvm_dataport(end, 0).address;
    if (crossvm_num_dataports(end) > 1)
        answer->generation = *(volatile uint32_t *)crossvm_dataport(end, 1).address;
}

/* Without a bound: the next program may come to the other end at any time. */
__attribute__((noreturn)) static void serve(crossvm_end_t *end)
{
    volatile struct served *served = crossvm_dataport(end, 0).address;

    for (;;) {
        int events = crossvm_wait(end, CROSSVM_FOREVER);
        uint32_t generation = 0;

        served->peer_state = crossvm_peer_state(end, &generation);
        served->peer_generation = generation;
        for (; events > 0; events--) {
            served->events++;
            end_emit(end);
        }
    }
}

static void carry_out(void *argument)
{
    struct task *task = argument;
    uint32_t number = task->order.number;

    switch (task->order.kind) {
    case ORDER_STATE:
        tell_state(task->end, &task->answer);
        break;
    case ORDER_AWAIT:
        (void)end_wait_for_peer(task->end, number);
        tell_state(task->end, &task->answer);
        break;
    case ORDER_SEND:
        send_events(task->end, number);
        break;
    case ORDER_SEND_PLAIN:
        store_anyway(task->end, CROSSVM_BAR_EVENT, 1, number);
        break;
    case ORDER_RECEIVE:
        end_take_exactly(task->end, number);
        break;
    case ORDER_COUNT:
        task->answer.number = (uint32_t)end_info(task->end).events;
        break;
    case ORDER_PING:
        ping(task->end, number);
        break;
    case ORDER_ECHO:
        echo(task->end, number);
        break;
    case ORDER_SERVE:
        serve(task->end);
    case ORDER_WRITE:
        write_words(task->end, number);
        break;
    case ORDER_READ:
        read_words(task->end, &task->answer);
        break;
    case ORDER_GIVE:
        stream_give(task->end, number);
        break;
    case ORDER_TAKE:
        stream_take(task->end, number);
        break;
    default:
        fail("the worker does not know order %u", task->order.kind);
    }
}

static void begin(void *argument)
{
    struct task *task = argument;

    task->end = end_open_fresh(task->order.connection);
    tell_state(task->end, &task->answer);
}

static void answer(struct task *task, void (*function)(void *), int socket)
{
    const char *wrong;

    memset(&task->answer, 0, sizeof(task->answer));
    wrong = attempt(function, task);
    task->answer.done = !wrong;
    if (wrong)
        (void)snprintf(task->answer.text, sizeof(task->answer.text), "%.255s", wrong);
    (void)send(socket, &task->answer, sizeof(task->answer), 0);
}

void work(const char *connection, int socket)
{
    struct task task = {.end = NULL};

    (void)snprintf(task.order.connection, sizeof(task.order.connection), "%s", connection);
    answer(&task, begin, socket);
    while (task.end && recv(socket, &task.order, sizeof(task.order), 0) == sizeof(task.order))
        answer(&task, carry_out, socket);
    crossvm_close(task.end);
    _exit(0);
}
