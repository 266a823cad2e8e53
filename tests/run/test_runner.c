/* SPDX-License-Identifier: BSD-2-Clause */
/* The runner: how it starts VMs, with which limits, and starts them again. Argument: the tool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner_fixture.h"

static void arguments_say_it_all(void **state)
{
    (void)state;
    file_write("a", "printf '%s ' \"$@\"\n");
    file_write("t.yaml",
               "vms:\n"
               "  - {name: a, kernel: kernel, initramfs: initramfs, command_line: two words, memory: 0256M, vcpus: 3}\n"
               "connections:\n"
               "  - {name: x, ends: [host, a], dataports: [{size: 8K, writer: host}, {size: 4K}]}\n"
               "  - {name: y, ends: [a, host], base_block_only: true, dataports: [{size: 4K, writer: a}]}\n"
               "  - {name: z, ends: [a, host]}\n");
    assert_int_equal(RUN("run", "--stats", "-d", "sockets", "t.yaml"), 0);
    assert_string_equal(
        file_read("out"),
        "a | --name=a --memory=256M --vcpus=3 --kernel=./kernel --initramfs=./initramfs --command-line=two words "
        "--stats --join=sockets/x@a.crossvm-vm --join=sockets/y@a.crossvm-vm --join=sockets/z@a.crossvm-vm \n");
}

/* QEMU is told of the sockets, and the user's arguments come last. */
static void arguments_for_qemu(void **state)
{
    (void)state;
    file_write("qemu-system-x86_64", "#!/bin/sh\nprintf '<%s> ' \"$@\"\n");
    assert_int_equal(chmod("qemu-system-x86_64", 0755), 0);
    file_write(
        "t.yaml",
        "vms:\n"
        "  - {name: a, vmm: qemu, program: ./qemu-system-x86_64, kernel: kernel, initramfs: initramfs, memory: 1G,\n"
        "     command_line: quiet, arguments: [-drive, 'file=a b.img']}\n"
        "  - {name: b, vmm: qemu, program: ./qemu-system-x86_64, door: ivshmem, vcpus: 4}\n"
        "connections:\n"
        "  - {name: x, ends: [host, a], dataports: [{size: 8K, writer: host}]}\n"
        "  - {name: y, ends: [b, a]}\n");
    assert_int_equal(RUN("run", "-d", "sockets", "t.yaml"), 0);
    assert_non_null(
        strstr(file_read("out"),
               "a | <-name> <guest=a> <-machine> <q35,accel=kvm:tcg> <-cpu> <max> <-m> <1024M> <-smp> <1,maxcpus=2> "
               "<-display> <none> "
               "<-monitor> <none> <-serial> <stdio> <-kernel> <./kernel> <-append> <console=ttyS0 quiet> <-initrd> "
               "<./initramfs> <-device> "
               "<{\"driver\":\"vfio-user-pci\",\"id\":\"crossvm-x\",\"socket\":{\"type\":\"unix\",\"path\":\"sockets/"
               "x@a.vfio-user\"}}> <-device> "
               "<{\"driver\":\"vfio-user-pci\",\"id\":\"crossvm-y\",\"socket\":{\"type\":\"unix\",\"path\":\"sockets/"
               "y@a.vfio-user\"}}> <-drive> <file=a b.img> \n"));
    assert_non_null(
        strstr(file_read("out"),
               "b | <-name> <guest=b> <-machine> <q35,accel=kvm:tcg> <-cpu> <max> <-m> <256M> <-smp> <4,maxcpus=4> "
               "<-display> <none> <-monitor> <none> <-serial> <stdio> <-chardev> "
               "<socket,id=crossvm-y,path=sockets/y@b.ivshmem> <-device> "
               "<ivshmem-doorbell,id=crossvm-y,vectors=1,chardev=crossvm-y> \n"));
}

static void a_vmm_that_is_not_there(void **state)
{
    (void)state;
    file_write("t.yaml", "vms:\n  - {name: a, vmm: qemu, program: ./nowhere}\n");
    assert_int_equal(RUN("run", "t.yaml"), 1);
    assert_non_null(strstr(file_read("err"), "/nowhere: No such file or directory; it must be in PATH, or "
                                             "`program` must be its path\n"));
    assert_non_null(strstr(file_read("err"), "crossvm: VM a could not start"));
}

/* Nobody knows when it ends. */
static void with_a_vm_that_others_start(void **state)
{
    pid_t runner;

    (void)state;
    file_write("a", "echo ready\n");
    runner = start(VM("a", "") "  - {name: b, vmm: external}\nconnections:\n  - {name: x, ends: [a, b]}\n");
    file_await("err", "VM a ended");
    assert_int_equal(kill(runner, 0), 0);
    assert_int_equal(kill(runner, SIGTERM), 0);
    assert_int_equal(tool_finish(runner), 128 + SIGTERM);
}

static void an_empty_command_line(void **state)
{
    (void)state;
    file_write("a", "printf '<%s> ' \"$@\"\n");
    assert_int_equal(tool_finish(start(VM("a", ", command_line: ''"))), 0);
    assert_string_equal(file_read("out"),
                        "a | <--name=a> <--memory=256M> <--vcpus=1> <--kernel=./kernel> <--command-line=> \n");
}

/* Only root can choose users. */
static void what_crossvm_vm_is_told_of_confinement(void **state)
{
    (void)state;
    file_write("a", "printf '<%s> ' \"$@\"\n");
    file_write("t.yaml", "vms:\n" VM("a", ""));
    assert_int_equal(RUN("run", "--no-sandbox", "t.yaml"), 0);
    assert_string_equal(file_read("out"),
                        "a | <--name=a> <--memory=256M> <--vcpus=1> <--kernel=./kernel> <--no-sandbox> \n");
    file_write("t.yaml", "vms:\n" VM("a", ", user: nobody"));
    if (geteuid() == 0) {
        assert_int_equal(RUN("run", "t.yaml"), 0);
        assert_string_equal(file_read("out"),
                            "a | <--name=a> <--memory=256M> <--vcpus=1> <--kernel=./kernel> <--user=nobody> \n");
    } else {
        assert_int_equal(RUN("run", "t.yaml"), 2);
        assert_non_null(
            strstr(file_read("err"), "vms[0].user: only root can start VMs as another user; leave it out\n"));
    }
}

/* A starter that is killed takes the VMs along, and the runner says so. */
static void a_starter_that_is_killed(void **state)
{
    char line[128];
    pid_t runner;

    (void)state;
    file_write("a", "trap 'echo ended >ended; exit 0' TERM\necho ready >ready\nwhile :; do sleep 0.1; done\n");
    runner = start(VM("a", ""));
    file_await("ready", "ready");
    (void)snprintf(line, sizeof(line), "kill -KILL $(cat /proc/%d/task/%d/children)", (int)runner, (int)runner);
    assert_int_equal(system(line), 0);
    assert_int_equal(tool_finish(runner), 2);
    assert_non_null(
        strstr(file_read("err"), "crossvm: the process that starts VMs was killed, and so they end, too\n"));
    file_await("ended", "ended");
}

/* More than a low limit, of those that programs start with, has room for. */
static void many_descriptors(void **state)
{
    struct rlimit limit, low;
    int status;

    (void)state;
    file_write("a", "exit 0\n");
    file_write("b", "exit 0\n");
    file_write("t.yaml", "vms:\n" VM("a", "") VM("b", "") "connections:\n"
                                                          "  - {name: p, ends: [a, b], dataports: [{size: 4K}]}\n"
                                                          "  - {name: q, ends: [a, b], dataports: [{size: 4K}]}\n"
                                                          "  - {name: r, ends: [a, b], dataports: [{size: 4K}]}\n"
                                                          "  - {name: s, ends: [a, b], dataports: [{size: 4K}]}\n");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = (struct rlimit){.rlim_cur = 20, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    status = RUN("run", "t.yaml");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(status, 0);
}

/* Fewer than poll() needs: that is said at the start, instead of a loop that cannot wait. */
static void too_few_descriptors(void **state)
{
    int status, needed, advised;
    char command[80];

    (void)state;
    file_write("a", "exit 0\n");
    file_write("t.yaml", "vms:\n" VM("a", "") "connections:\n  - {name: p, ends: [a, host]}\n");
    assert_int_equal(shell_run("ulimit -n 10; exec \"$0\" run t.yaml"), 2);
    assert_int_equal(
        sscanf(file_read("err"),
               "crossvm: this topology (VMs: 1, connections: 1) needs %d descriptors, and this process may "
               "have 10; raise the limit with `ulimit -n %d`\n",
               &needed, &advised),
        2);
    assert_int_equal(needed, advised);
    (void)snprintf(command, sizeof(command), "ulimit -n %d; exec \"$0\" run t.yaml", needed);
    /* The limit is also that of descriptors on their way in sockets of this user. Tests beside this one send many. */
    do
        status = shell_run(command);
    while (status == 2 && strstr(file_read("err"), strerror(ETOOMANYREFS)));
    assert_int_equal(status, 0);
}

/* poll() fails when the limit is lowered later. */
static void a_loop_that_cannot_wait_ends(void **state)
{
    struct rlimit low = {4, 4};
    pid_t runner;

    (void)state;
    file_write("a", "trap 'echo ended >ended; exit 0' TERM\necho ready\nwhile [ ! -e go ]; do sleep 0.1; done\n"
                    "echo more\nwhile :; do sleep 0.1; done\n");
    runner = start(VM("a", ""));
    file_await("out", "ready");
    assert_int_equal(prlimit(runner, RLIMIT_NOFILE, &low, NULL), 0);
    file_write("go", "");
    assert_int_equal(tool_finish(runner), 2);
    assert_non_null(strstr(file_read("err"), "crossvm: cannot wait for the VMs, and ends them: Invalid argument\n"));
    file_await("ended", "ended");
}

static void failures_are_named(void **state)
{
    (void)state;
    file_write("good", "exit 0\n");
    file_write("bad", "exit 3\n");
    file_write("crashed", "exit 70\n");
    file_write("reset", "exit 71\n");
    file_write("shot", "kill -9 $$\n");
    assert_int_equal(tool_finish(start(VM("good", "") VM("bad", "") VM("crashed", "") VM("reset", "") VM("shot", ""))),
                     1);
    assert_non_null(strstr(file_read("err"), "crossvm: VM good ended\n"));
    assert_non_null(strstr(file_read("err"), "crossvm: VM bad ended with status 3\n"));
    assert_non_null(strstr(file_read("err"), "crossvm: VM crashed crashed\n"));
    assert_non_null(strstr(file_read("err"), "crossvm: VM reset asked for a reset (a reboot, or a panic)\n"));
    assert_non_null(strstr(file_read("err"), "crossvm: VM shot was killed by signal 9 (Killed)\n"));
}

static void failed_vms_are_started_again(void **state)
{
    (void)state;
    file_write("a", "[ -e was-here ] || { touch was-here; exit 1; }\necho back\n");
    assert_int_equal(tool_finish(start(VM("a", ", restart: on-failure"))), 0);
    assert_non_null(strstr(file_read("err"), "crossvm: VM a ended with status 1; it is started again in 1 s\n"));
    assert_string_equal(file_read("out"), "a | back\n");
}

/* What is in a VM's way when it cannot start is there the next time, too. */
static void what_cannot_start_is_started_once(void **state)
{
    (void)state;
    file_write("a", "echo x >>starts\nexit 72\n");
    assert_int_equal(tool_finish(start(VM("a", ", restart: always"))), 1);
    assert_string_equal(file_read("starts"), "x\n");
    assert_string_equal(file_read("err"),
                        "crossvm: VM a could not start, for the reason above; it is not started again\n");
}

/* What is in the way later may go away. */
static void a_vm_that_has_run_may_start_again(void **state)
{
    (void)state;
    file_write("a", "echo x >>starts\n[ $(wc -l <starts) -ne 1 ] || exit 1\n[ $(wc -l <starts) -ne 2 ] || exit 72\n");
    assert_int_equal(tool_finish(start(VM("a", ", restart: on-failure"))), 0);
    assert_string_equal(file_read("err"),
                        "crossvm: VM a ended with status 1; it is started again in 1 s\n"
                        "crossvm: VM a could not start; it is started again in 2 s (restart 2 in a row)\n"
                        "crossvm: VM a ended\n");
}

/* Each time it says for how long it waits. */
static void restarts_back_off(void **state)
{
    pid_t runner;

    (void)state;
    file_write("a", "exit 5\n");
    runner = start(VM("a", ", restart: on-failure"));
    file_await("err", "crossvm: VM a ended with status 5; it is started again in 1 s\n"
                      "crossvm: VM a ended with status 5; it is started again in 2 s (restart 2 in a row)\n"
                      "crossvm: VM a ended with status 5; it is started again in 4 s (restart 3 in a row)\n");
    assert_int_equal(kill(runner, SIGTERM), 0);
    assert_int_equal(tool_finish(runner), 128 + SIGTERM);
}

static void without_end(void **state)
{
    pid_t runner;

    (void)state;
    file_write("a", "echo x >>starts\n");
    runner = start(VM("a", ", restart: always"));
    file_await("starts", "x\nx\n");
    assert_int_equal(kill(runner, SIGTERM), 0);
    assert_int_equal(tool_finish(runner), 128 + SIGTERM);
}

static void no_program(void **state)
{
    (void)state;
    assert_int_equal(unlink("crossvm-vm"), 0);
    assert_int_equal(tool_finish(start(VM("a", ""))), 1);
    assert_non_null(strstr(file_read("err"), "a | cannot run crossvm-vm: No such file or directory; it must be beside "
                                             "crossvm, or in PATH\n"));
    assert_non_null(strstr(file_read("err"), "crossvm: VM a could not start\n"));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RUNNER_TEST(arguments_say_it_all),
        RUNNER_TEST(arguments_for_qemu),
        RUNNER_TEST(a_vmm_that_is_not_there),
        RUNNER_TEST(with_a_vm_that_others_start),
        RUNNER_TEST(an_empty_command_line),
        RUNNER_TEST(what_crossvm_vm_is_told_of_confinement),
        RUNNER_TEST(a_starter_that_is_killed),
        RUNNER_TEST(many_descriptors),
        RUNNER_TEST(too_few_descriptors),
        RUNNER_TEST(a_loop_that_cannot_wait_ends),
        RUNNER_TEST(failures_are_named),
        RUNNER_TEST(failed_vms_are_started_again),
        RUNNER_TEST(what_cannot_start_is_started_once),
        RUNNER_TEST(a_vm_that_has_run_may_start_again),
        RUNNER_TEST(restarts_back_off),
        RUNNER_TEST(without_end),
        RUNNER_TEST(no_program),
    };

    if (argc < 2)
        return 1;
    tool = argv[1];
    return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
