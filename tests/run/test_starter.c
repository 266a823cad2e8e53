/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The starter, and a runner that has been taken over: it carries out what a topology allows, and nothing else. What VMs
 * begin with is told by a script in their place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../../src/wire/descriptors.h"
#include "console_vms.h"

/* As in starter.c, which has them for itself. */
enum { START, SIGNAL, OPEN, ROTATE, UNKNOWN };

struct order {
    uint32_t kind, vm;
    int32_t number;
};

/* What the starter answers to an order of that many bytes, with n descriptors. */
static int give(const struct order *order, size_t size, size_t n)
{
    const int fds[2] = {STDERR_FILENO, STDERR_FILENO};
    struct pollfd answered = {.fd = vms.starter.orders, .events = POLLIN};
    int32_t answer = 1;
    int opened;
    size_t came;

    assert_int_equal(cvm_descriptors_send(vms.starter.orders, order, size, fds, n), 0);
    assert_int_equal(poll(&answered, 1, -1), 1);
    assert_int_equal(cvm_descriptors_receive(vms.starter.orders, &answer, sizeof(answer), &opened, 1, &came),
                     sizeof(answer));
    if (came)
        close(opened);
    return answer;
}

static int order(uint32_t kind, uint32_t vm, int32_t number, size_t fds)
{
    return give(&(struct order){kind, vm, number}, sizeof(struct order), fds);
}

static void orders_that_no_runner_gives_are_refused(void **state)
{
    struct order whole = {SIGNAL, VM_WITH_FILE, SIGTERM};
    int descriptors;

    (void)state;
    assert_int_equal(order(SIGNAL, VM_WITH_FILE, SIGTERM, 0), 0); /* of one that does not run, without effect */
    descriptors = count_descriptors(vms.starter.pid);
    assert_int_equal(order(SIGNAL, NUM_VMS, SIGTERM, 0), -EINVAL);
    assert_int_equal(order(SIGNAL, UINT32_MAX, SIGTERM, 0), -EINVAL);
    assert_int_equal(order(SIGNAL, VM_WITH_FILE, SIGSTOP, 0), -EINVAL);
    assert_int_equal(order(SIGNAL, VM_WITH_FILE, SIGTERM, 1), -EINVAL);
    assert_int_equal(order(START, VM_WITH_FILE, 0, 0), -EINVAL);
    assert_int_equal(order(START, VM_WITH_FILE, 0, 1), -EINVAL);
    assert_int_equal(order(START, VM_OF_OTHERS, 0, 2), -EINVAL);
    assert_int_equal(order(OPEN, VM_WITH_STDIO, 0, 0), -EINVAL);
    assert_int_equal(order(ROTATE, VM_WITH_STDIO, 0, 0), -EINVAL);
    assert_int_equal(order(UNKNOWN, VM_WITH_FILE, 0, 0), -EINVAL);
    assert_int_equal(give(&whole, sizeof(whole) - 1, 0), -EINVAL);
    assert_int_equal(order(OPEN, VM_WITH_FILE, 0, 0), 0);
    assert_int_equal(order(SIGNAL, VM_WITH_FILE, SIGTERM, 0), 0); /* by now it has closed what it sent */
    assert_int_equal(count_descriptors(vms.starter.pid), descriptors);
}

/* Reads a line of a script. */
static void read_line(int fd, char *line, size_t size)
{
    size_t used = 0;

    while (used + 1 < size && read(fd, line + used, 1) == 1 && line[used] != '\n')
        used++;
    line[used] = '\0';
}

static void write_program(const char *lines)
{
    FILE *file = fopen(vms.program, "we");

    assert_non_null(file);
    (void)fprintf(file, "#!/bin/sh\n%s", lines);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(vms.program, 0700), 0);
}

/* Waits for the end of a VM, and gives its status. */
static int await_end(size_t expected)
{
    struct pollfd ended = {.fd = vms.starter.ends, .events = POLLIN};
    size_t vm;
    int status;

    assert_int_equal(poll(&ended, 1, -1), 1);
    assert_int_equal(starter_take_end(&vms.starter, &vm, &status), 1);
    assert_int_equal(vm, expected);
    return status;
}

static void a_vm_runs_once_and_may_come_again(void **state)
{
    int descriptors, pair[2];
    char line[64];

    (void)state;
    write_program("echo it runs\nread something\n");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(starter_signal(&vms.starter, VM_WITH_STDIO, SIGTERM), 0);
    descriptors = count_descriptors(vms.starter.pid);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(starter_start(&vms.starter, VM_WITH_STDIO, pair[1], true, STDERR_FILENO), 0);
        read_line(pair[0], line, sizeof(line));
        assert_string_equal(line, "it runs");
        assert_int_equal(starter_start(&vms.starter, VM_WITH_STDIO, pair[1], true, STDERR_FILENO), -EINVAL);
        if (i == 0)
            assert_int_equal(send(pair[0], "end\n", 4, 0), 4);
        else
            assert_int_equal(starter_signal(&vms.starter, VM_WITH_STDIO, i == 1 ? SIGTERM : SIGKILL), 0);
        assert_int_equal(await_end(VM_WITH_STDIO), i == 0 ? 0 : i == 1 ? SIGTERM : SIGKILL);
        assert_int_equal(count_descriptors(vms.starter.pid), descriptors);
    }
    close(pair[0]);
    close(pair[1]);
}

/* Whatever the runner has: this test ignores signals, as nohup makes programs do, and the starter blocks all. */
static void a_vm_begins_as_from_a_shell(void **state)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    unsigned long long blocked = 1, ignored = 1;
    int pair[2], group = 0, pid = -1, input = 1;
    char line[128];

    (void)state;
    write_program("set -- $(sed -n 's/^Sig\\(Blk\\|Ign\\):[^0-9a-f]*//p' /proc/self/status) "
                  "$(cut -d' ' -f5 /proc/$$/stat) $$\n"
                  "read something && input=1 || input=0\n"
                  "echo $* $input\n");
    for (size_t i = 0; i < 4; i++)
        (void)signal(signals[i], SIG_IGN);
    starter_end(&vms.starter);
    assert_int_equal(starter_create(&vms.starter, &vms.topology, &vms.options), 0);
    for (size_t i = 0; i < 4; i++)
        (void)signal(signals[i], SIG_DFL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(starter_start(&vms.starter, VM_WITH_STDIO, pair[1], false, STDERR_FILENO), 0);
    read_line(pair[0], line, sizeof(line));
    assert_int_equal(sscanf(line, "%llx %llx %d %d %d", &blocked, &ignored, &group, &pid, &input), 5);
    assert_true(blocked == 0);
    for (size_t i = 0; i < 4; i++)
        assert_true((ignored >> (signals[i] - 1) & 1) == 0);
    assert_int_equal(group, pid);
    assert_int_equal(input, 0); /* it has none, and need not wait for it */
    assert_int_equal(await_end(VM_WITH_STDIO), 0);
    close(pair[0]);
    close(pair[1]);
}

/* Also of one that is killed. */
static void no_vm_outlives_its_starter(void **state)
{
    char line[64];
    int pair[2];

    (void)state;
    write_program("echo it runs\nread something\n");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(starter_start(&vms.starter, VM_WITH_STDIO, pair[1], true, STDERR_FILENO), 0);
    close(pair[1]);
    read_line(pair[0], line, sizeof(line));
    assert_string_equal(line, "it runs");
    assert_int_equal(kill(vms.starter.pid, SIGKILL), 0);
    assert_int_equal(recv(pair[0], line, sizeof(line), 0), 0); /* the VM had the other side */
    close(pair[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONSOLE_VMS_TEST(orders_that_no_runner_gives_are_refused),
        CONSOLE_VMS_TEST(a_vm_runs_once_and_may_come_again),
        CONSOLE_VMS_TEST(a_vm_begins_as_from_a_shell),
        CONSOLE_VMS_TEST(no_vm_outlives_its_starter),
    };

    return cmocka_run_group_tests_name("starter", tests, NULL, NULL);
}
