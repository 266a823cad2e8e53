/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program of the guests in the tests of peers: takes orders from the host and has a worker carry them out, a
 * process of its own that can be killed. Argument: the VM's name.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "shared.h"
#include "stream.h"

#define QUIET_MS 200

static pid_t worker;
static int to_worker = -1;

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

__attribute__((format(printf, 2, 3))) static void fail(struct answer *answer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(answer->text, sizeof(answer->text), format, arguments);
    va_end(arguments);
    answer->done = 0;
}

/* --- the worker --- */

static void tell_state(const crossvm_end_t *end, struct answer *answer)
{
    answer->number = crossvm_peer_state(end, &answer->generation);
    answer->end = crossvm_end_number(end);
}

static void await(crossvm_end_t *end, uint32_t state, struct answer *answer)
{
    int64_t deadline = now_ms() + PATIENCE_MS;

    while (crossvm_peer_state(end, NULL) != state && now_ms() < deadline)
        (void)crossvm_wait(end, crossvm_deadline_after_ms(1000));
    tell_state(end, answer);
    if (answer->number != state)
        fail(answer, "the peer's state stays %u", answer->number);
}

static void send_events(crossvm_end_t *end, uint32_t n, struct answer *answer)
{
    for (uint32_t i = 0; i < n && answer->done; i++) {
        if (crossvm_emit(end))
            fail(answer, "%s", crossvm_strerror());
    }
}

/* Stores n times to the first word of a BAR, whatever the rights to it. */
static void store_anyway(crossvm_end_t *end, size_t bar, uint32_t value, uint32_t n, struct answer *answer)
{
    off_t offset = (off_t)bar * CROSSVM_PAGE_SIZE; /* by which UIO names maps */
    crossvm_end_info_t info;
    volatile uint32_t *words;
    int fd;

    if (crossvm_info(end, &info, sizeof(info))) {
        fail(answer, "%s", crossvm_strerror());
        return;
    }
    fd = open(info.path, O_RDWR);
    words = mmap(NULL, CROSSVM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
    if (words == MAP_FAILED) {
        fail(answer, "cannot map BAR %zu of %s: %s", bar, info.path, strerror(errno));
    } else {
        for (uint32_t i = 0; i < n; i++)
            *words = value;
        (void)munmap((void *)words, CROSSVM_PAGE_SIZE);
    }
    close(fd);
}

/* A wait that a change of the peer ends with 0 is no event. Returns how many came until the time is over. */
static uint32_t receive(crossvm_end_t *end, uint32_t n, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    uint32_t received = 0;

    while (received < n && now_ms() < deadline) {
        int events = crossvm_wait(end, crossvm_deadline_after_ms((int)(deadline - now_ms())));

        if (events > 0)
            received += (uint32_t)events;
    }
    return received;
}

static void receive_all(crossvm_end_t *end, uint32_t n, struct answer *answer)
{
    answer->number = receive(end, n, PATIENCE_MS);
    answer->number += receive(end, UINT32_MAX, QUIET_MS);
    if (answer->number != n)
        fail(answer, "%u events came, not %u", answer->number, n);
}

static void rounds(crossvm_end_t *end, uint32_t n, bool first, struct answer *answer)
{
    for (uint32_t i = 0; i < n; i++) {
        if (first && crossvm_emit(end))
            break;
        if (receive(end, 1, PATIENCE_MS) == 0) {
            fail(answer, "no event in round %u", i);
            return;
        }
        if (!first && crossvm_emit(end))
            break;
    }
}

static void write_words(crossvm_end_t *end, uint32_t number, struct answer *answer)
{
    for (size_t i = 0; i < crossvm_num_dataports(end); i++)
        store_anyway(end, CROSSVM_BAR_DATAPORT + i, number, 1, answer);
}

static void read_words(const crossvm_end_t *end, struct answer *answer)
{
    answer->number = *(volatile uint32_t *)crossvm_dataport(end, 0).address;
    if (crossvm_num_dataports(end) > 1)
        answer->generation = *(volatile uint32_t *)crossvm_dataport(end, 1).address;
}

static void judge(const char *wrong, struct answer *answer)
{
    if (wrong)
        fail(answer, "%s", wrong);
}

static void carry_out(crossvm_end_t *end, const struct order *order, struct answer *answer)
{
    switch (order->kind) {
    case ORDER_STATE:
        tell_state(end, answer);
        break;
    case ORDER_AWAIT:
        await(end, order->number, answer);
        break;
    case ORDER_SEND:
        send_events(end, order->number, answer);
        break;
    case ORDER_SEND_OLD:
        store_anyway(end, CROSSVM_BAR_EVENT, 1, order->number, answer);
        break;
    case ORDER_RECEIVE:
        receive_all(end, order->number, answer);
        break;
    case ORDER_PING:
        rounds(end, order->number, true, answer);
        break;
    case ORDER_ECHO:
        rounds(end, order->number, false, answer);
        break;
    case ORDER_WRITE:
        write_words(end, order->number, answer);
        break;
    case ORDER_READ:
        read_words(end, answer);
        break;
    case ORDER_GIVE:
        judge(stream_give(end, order->number), answer);
        break;
    case ORDER_TAKE:
        judge(stream_take(end, order->number), answer);
        break;
    default:
        fail(answer, "the worker does not know order %u", order->kind);
    }
}

/* Old events are no part of a case. */
static crossvm_end_t *open_fresh(const char *name, struct answer *answer)
{
    crossvm_end_t *end = NULL;

    if (crossvm_open(&end, name)) {
        fail(answer, "%s", crossvm_strerror());
        return NULL;
    }
    while (crossvm_wait(end, CROSSVM_NOW) > 0)
        ;
    return end;
}

static void work(const char *connection, int socket)
{
    struct answer answer = {.done = 1};
    crossvm_end_t *end = open_fresh(connection, &answer);
    struct order order;

    if (end)
        tell_state(end, &answer);
    (void)send(socket, &answer, sizeof(answer), 0);
    while (end && recv(socket, &order, sizeof(order), 0) == sizeof(order)) {
        answer = (struct answer){.done = 1};
        carry_out(end, &order, &answer);
        (void)send(socket, &answer, sizeof(answer), 0);
    }
    crossvm_close(end);
    _exit(0);
}

/* --- the controller --- */

static void end_worker(int number)
{
    if (!worker)
        return;
    if (number)
        (void)kill(worker, number);
    close(to_worker);
    (void)waitpid(worker, NULL, 0);
    worker = 0;
}

static void ask_worker(const struct order *order, struct answer *answer)
{
    if (order && send(to_worker, order, sizeof(*order), MSG_NOSIGNAL) < 0)
        fail(answer, "there is no worker");
    else if (recv(to_worker, answer, sizeof(*answer), 0) != sizeof(*answer))
        fail(answer, "the worker ended");
}

static void start_worker(crossvm_end_t *control, const struct order *order, struct answer *answer)
{
    int pair[2];

    end_worker(SIGKILL);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair)) {
        fail(answer, "no socket: %s", strerror(errno));
        return;
    }
    worker = fork();
    if (worker == 0) {
        close(pair[0]);
        close(crossvm_fd(control));
        work(order->connection, pair[1]);
    }
    close(pair[1]);
    to_worker = pair[0];
    ask_worker(NULL, answer);
}

static void obey(crossvm_end_t *control, const struct order *order, struct answer *answer)
{
    *answer = (struct answer){.done = 1};
    switch (order->kind) {
    case ORDER_START:
        start_worker(control, order, answer);
        break;
    case ORDER_KILL:
        end_worker(SIGKILL);
        break;
    case ORDER_END:
        end_worker(0);
        break;
    case ORDER_REBOOT:
        (void)reboot(RB_AUTOBOOT);
        break;
    default:
        ask_worker(order, answer);
    }
}

int main(int argc, char **argv)
{
    char name[CROSSVM_FULL_NAME_BYTES];
    struct board *board;
    crossvm_end_t *control;

    (void)snprintf(name, sizeof(name), "control-%s", argc > 1 ? argv[1] : "");
    if (crossvm_open(&control, name)) {
        (void)printf("guest-peer: %s\n", crossvm_strerror());
        return EXIT_FAILURE;
    }
    (void)printf("guest-peer: ready\n");
    (void)fflush(stdout);
    board = crossvm_dataport(control, 0).address;
    for (;;) {
        struct order order;
        struct answer answer;

        if (crossvm_wait(control, CROSSVM_FOREVER) <= 0)
            continue;
        memcpy(&order, &board->order, sizeof(order));
        obey(control, &order, &answer);
        memcpy(&board->answer, &answer, sizeof(answer));
        (void)crossvm_emit(control);
    }
}
