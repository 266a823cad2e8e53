/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The agent: the program of the guests in the scenarios host and peers. It takes orders from the host (orders.h).
 *
 *   guest-agent VM    with the connection control-VM
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <crossvm/crossvm.h>

#include "../harness/case.h"
#include "../harness/end.h"
#include "orders.h"
#include "worker.h"

static crossvm_end_t *control;
static pid_t worker;
static int to_worker = -1;

/* --- the worker --- */

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

static void tell_worker(const struct order *order)
{
    CHECK(worker && send(to_worker, order, sizeof(*order), MSG_NOSIGNAL) == sizeof(*order), "there is no worker");
}

static void hear_worker(struct answer *answer)
{
    CHECK(recv(to_worker, answer, sizeof(*answer), 0) == sizeof(*answer), "the worker ended");
}

static void start_worker(const char *connection, struct answer *answer)
{
    int pair[2];

    end_worker(SIGKILL);
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0, "no socket: %s", strerror(errno));
    worker = fork();
    CHECK(worker >= 0, "no process: %s", strerror(errno));
    if (worker == 0) {
        close(pair[0]);
        close(crossvm_fd(control));
        work(connection, pair[1]);
    }
    close(pair[1]);
    to_worker = pair[0];
    hear_worker(answer);
}

/* --- the driver --- */

static char unbound[64]; /* address of the device */

static void tell_driver(const char *file, const char *address)
{
    char path[64];
    FILE *stream;

    (void)snprintf(path, sizeof(path), "/sys/bus/pci/drivers/crossvm/%s", file);
    stream = fopen(path, "w");
    CHECK(stream && fputs(address, stream) >= 0 && fclose(stream) == 0, "cannot write %s to %s: %s", address, path,
          strerror(errno));
}

static void unbind(const char *connection)
{
    crossvm_end_info_t *list;
    size_t n;

    unbound[0] = '\0';
    CHECK(crossvm_list(&list, &n, sizeof(*list)) == 0, "%s", crossvm_strerror());
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, connection) == 0)
            (void)snprintf(unbound, sizeof(unbound), "%s", list[i].location);
    }
    crossvm_list_free(list);
    CHECK(unbound[0], "there is no device %s", connection);
    tell_driver("unbind", unbound);
}

/* --- orders --- */

struct job {
    struct order order;
    struct answer answer;
};

static void obey(void *argument)
{
    struct job *job = argument;
    struct order *order = &job->order;

    switch (order->kind) {
    case ORDER_START:
        start_worker(order->connection, &job->answer);
        break;
    case ORDER_KILL:
        end_worker(SIGKILL);
        break;
    case ORDER_END:
        end_worker(0);
        break;
    case ORDER_SERVE:
        tell_worker(order);
        break;
    case ORDER_UNBIND:
        unbind(order->connection);
        break;
    case ORDER_BIND:
        tell_driver("bind", unbound);
        break;
    case ORDER_REBOOT:
        (void)reboot(RB_AUTOBOOT);
        break;
    case ORDER_POWEROFF:
        (void)reboot(RB_POWER_OFF);
        break;
    default:
        tell_worker(order);
        hear_worker(&job->answer);
    }
}

int main(int argc, char **argv)
{
    char name[CROSSVM_FULL_NAME_BYTES];
    struct board *board;

    (void)snprintf(name, sizeof(name), "control-%s", argc > 1 ? argv[1] : "");
    control = end_open(name);
    board = crossvm_dataport(control, 0).address;
    (void)printf("guest-agent: ready\n");
    (void)fflush(stdout);
    for (;;) {
        struct job job = {.answer.done = 1};
        const char *wrong;

        if (crossvm_wait(control, CROSSVM_FOREVER) <= 0)
            continue;
        memcpy(&job.order, &board->order, sizeof(job.order));
        if (job.order.serial == board->taken)
            continue;
        board->taken = job.order.serial;
        wrong = attempt(obey, &job);
        if (wrong) {
            job.answer.done = 0;
            (void)snprintf(job.answer.text, sizeof(job.answer.text), "%.255s", wrong);
        }
        memcpy(&board->answer, &job.answer, sizeof(job.answer));
        end_emit(control);
    }
}
