/* SPDX-License-Identifier: BSD-2-Clause */
/* The runner, with a shell script instead of crossvm-vm. Argument: the tool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "topology_file.h"

/* What each VM does is a file of commands with its name. */
static const char stand_in[] = "#!/bin/sh\n"
                               "for option in \"$@\"; do\n"
                               "    case $option in\n"
                               "    --name=*) name=${option#--name=} ;;\n"
                               "    esac\n"
                               "done\n"
                               ". ./\"$name\"\n";

#define VM(name, more) "  - {name: " name ", kernel: kernel" more "}\n"

static int set_up(void **state)
{
    if (folder_set_up(state))
        return -1;
    file_write("crossvm-vm", stand_in);
    return chmod("crossvm-vm", 0755);
}

#define RUNNER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, folder_tear_down)

static pid_t start(const char *vms)
{
    char text[1024];

    (void)snprintf(text, sizeof(text), "vms:\n%s", vms);
    file_write("t.yaml", text);
    return tool_start((const char *const[]){"run", "t.yaml", NULL});
}

static void lines_have_names(void **state)
{
    const char *cut;

    (void)state;
    file_write("a", "printf 'one\\r\\ntwo'; echo bad >&2\n");
    file_write("longer", "printf '\\033[31mred\\033[0m \\007\\033ctab\\there\\n\\n'; head -c 2000 /dev/zero | "
                         "tr '\\0' x >&2\n");
    assert_int_equal(tool_finish(start(VM("a", "") VM("longer", ""))), 0);
    assert_non_null(strstr(file_read("out"), "a      | one\n"));
    assert_non_null(strstr(file_read("out"), "a      | two\n"));
    assert_non_null(strstr(file_read("out"), "longer | red tab\there\nlonger | \n"));
    assert_null(strchr(file_read("out"), '\033'));
    assert_non_null(strstr(file_read("err"), "a      | bad\n"));
    assert_non_null(strstr(file_read("err"), "crossvm: VM a ended\n"));
    /* It is cut in two; what the runner says may come in between. */
    cut = strstr(file_read("err"), "longer | xxxx");
    assert_non_null(cut);
    assert_non_null(strstr(cut + 1, "\nlonger | xxxx"));
}

/* Control functions (ECMA-48) in each of their forms, and characters that hold the same bytes. */
static void no_control_function_passes(void **state)
{
    (void)state;
    file_write("a", "printf '1\\233;31mred\\302\\233;0mplain\\n'\n" /* CSI: of 8 bits, in UTF-8 */
                    "printf '2\\2350;title\\007a\\302\\2350;title\\234b\\033]0;title\\033\\\\c\\n'\n" /* OSC */
                    "printf '3\\220dcs\\234a\\237apc\\234b\\236pm\\234c\\033Psixel\\033\\\\d\\n'\n"
                    "printf '4\\205a\\302\\205b\\200c\\033(Bd\\n'\n"
                    "printf '5\\303\\233 \\342\\202\\254 \\360\\237\\230\\200 \\342\\233\\2040\\n'\n" /* text */
                    "printf '6\\300\\233ka\\340\\202\\233kb\\342\\033[1mc\\303d\\342\\233e\\n'\n"     /* no UTF-8 */
                    "printf '7\\233'; printf '\\nafter \\235string\\nend\\n'\n");
    assert_int_equal(tool_finish(start(VM("a", ""))), 0);
    assert_string_equal(file_read("out"), "a | 1redplain\n"
                                          "a | 2abc\n"
                                          "a | 3abcd\n"
                                          "a | 4abcd\n"
                                          "a | 5\303\233 \342\202\254 \360\237\230\200 \342\233\2040\n"
                                          "a | 6abcde\n"
                                          "a | 7\n"
                                          "a | after \n"
                                          "a | end\n");
}

/* Much of it, and from both at once. */
static void no_line_is_lost(void **state)
{
    size_t a = 0, b = 0;
    const char *out;

    (void)state;
    file_write("a", "seq 1000 1999\n");
    file_write("b", "seq 1000 1999\n");
    assert_int_equal(tool_finish(start(VM("a", "") VM("b", ""))), 0);
    out = file_read("out");
    for (const char *line = out; *line; line = strchr(line, '\n') + 1) {
        size_t *count = *line == 'a' ? &a : &b;

        assert_int_equal(strtoul(line + 4, NULL, 10), 1000 + *count);
        ++*count;
    }
    assert_int_equal(a, 1000);
    assert_int_equal(b, 1000);
}

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

/* --- slow readers --- */

#define MANY_LINES "seq 10000 29999\n" /* more than all pipes and the runner hold */

/* Standard output becomes a pipe. Returns the other side of it. */
static int make_pipe_of_output(void)
{
    int reader;

    assert_int_equal(mkfifo("out", 0600), 0);
    reader = open("out", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    return reader;
}

/* Until the runner's input is as full as it gets: the VM that filled it has ended, or waits. */
static void await_standstill(int reader)
{
    int before = -1, now = 0;

    while (now != before || now == 0) {
        before = now;
        usleep(200000);
        assert_int_equal(ioctl(reader, FIONREAD, &now), 0);
    }
}

/* All that comes until the end; good until the next call. */
static char *read_all(int reader)
{
    static char text[1 << 20];
    size_t n = 0;
    ssize_t length;

    assert_int_equal(fcntl(reader, F_SETFL, 0), 0);
    while ((length = read(reader, text + n, sizeof(text) - 1 - n)) > 0)
        n += (size_t)length;
    text[n] = '\0';
    return text;
}

/* A slow reader loses no line of a VM that has ended, nor of the runner. The next start waits for the reader. */
static void the_last_output_waits_for_its_reader(void **state)
{
    int reader;
    pid_t runner;
    const char *said;
    unsigned long next = 10000;

    (void)state;
    reader = make_pipe_of_output();
    file_write("a", "[ ! -e was-here ] || { echo again; exit 0; }\n"
                    "touch was-here\nseq 10000 23999\nwhile [ ! -e go ]; do sleep 0.1; done\n"
                    "printf last\necho over >over\nexit 3\n");
    runner = start(VM("a", ", restart: on-failure"));
    await_standstill(reader);
    file_write("go", "");
    file_await("over", "over");
    usleep(200000);
    said = read_all(reader);
    assert_int_equal(tool_finish(runner), 0);
    for (; next < 24000; next++, said = strchr(said, '\n') + 1)
        assert_int_equal(strtoul(said + 4, NULL, 10), next);
    assert_string_equal(said, "a | last\na | again\n");
    assert_non_null(strstr(file_read("err"), "VM a ended with status 3; it is started again in 1 s\n"));
    close(reader);
}

/*
 * Signals a runner that got a signal before, until it ends. Signals within half a second count as one, by the time at
 * which the runner takes them. Returns its status.
 */
static int signal_until_the_end(pid_t runner, int number)
{
    siginfo_t info;

    do {
        usleep(600000);
        assert_int_equal(kill(runner, number), 0);
        info.si_pid = 0;
        assert_int_equal(waitid(P_PID, (id_t)runner, &info, WEXITED | WNOWAIT | WNOHANG), 0);
    } while (info.si_pid != runner);
    return tool_finish(runner);
}

static void signals_end_what_nobody_reads(void **state)
{
    int reader;
    pid_t runner;

    (void)state;
    reader = make_pipe_of_output();
    file_write("a", "seq 10000 23999\necho over >over\n");
    runner = start(VM("a", ""));
    file_await("over", "over");
    await_standstill(reader);
    assert_int_equal(kill(runner, SIGINT), 0);
    assert_int_equal(signal_until_the_end(runner, SIGINT), 128 + SIGINT);
    close(reader);
    assert_int_equal(unlink("out"), 0);
    assert_int_equal(unlink("over"), 0);

    /* A VM that is there still, and waits for the reader. */
    reader = make_pipe_of_output();
    file_write("a", "trap '' TERM\n" MANY_LINES);
    runner = start(VM("a", ""));
    await_standstill(reader);
    assert_int_equal(kill(runner, SIGINT), 0);
    assert_int_equal(signal_until_the_end(runner, SIGTERM), 128 + SIGTERM);
    close(reader);
    assert_int_equal(unlink("out"), 0);
}

/* --- signals --- */

static void a_signal_ends_all(void **state)
{
    pid_t runner;

    (void)state;
    file_write("a", "trap 'echo ended; exit 0' TERM\necho ready >a.ready\nwhile :; do sleep 0.1; done\n");
    file_write("b", "trap 'echo ended; exit 7' TERM\necho ready >b.ready\nwhile :; do sleep 0.1; done\n");
    runner = start(VM("a", "") VM("b", ""));
    file_await("a.ready", "ready");
    file_await("b.ready", "ready");
    assert_int_equal(kill(runner, SIGINT), 0);
    assert_int_equal(tool_finish(runner), 128 + SIGINT);
    assert_non_null(strstr(file_read("out"), "a | ended\n"));
    assert_non_null(strstr(file_read("out"), "b | ended\n"));
    assert_string_equal(file_read("err"), "");
}

static void a_second_signal_ends_them_at_once(void **state)
{
    pid_t runner;

    (void)state;
    file_write("a", "trap 'echo deaf >deaf' TERM\necho ready >ready\nwhile :; do sleep 0.1; done\n");
    runner = start(VM("a", ""));
    file_await("ready", "ready");
    assert_int_equal(kill(runner, SIGINT), 0);
    file_await("deaf", "deaf");
    assert_int_equal(signal_until_the_end(runner, SIGINT), 128 + SIGINT);
}

/* As timeout(1) sends them: to its child, and then to the group that both are in. */
static void two_signals_at_once_are_one(void **state)
{
    pid_t runner;

    (void)state;
    file_write("a", "trap 'sleep 1; echo ended; exit 0' TERM\necho ready >ready\nwhile :; do sleep 0.1; done\n");
    runner = start(VM("a", ""));
    file_await("ready", "ready");
    assert_int_equal(kill(runner, SIGSTOP), 0);
    assert_int_equal(kill(runner, SIGTERM), 0);
    assert_int_equal(kill(runner, SIGINT), 0);
    assert_int_equal(kill(runner, SIGCONT), 0);
    assert_true(tool_finish(runner) > 128);
    assert_string_equal(file_read("out"), "a | ended\n");
}

/* As under nohup. The VM gets the signals as ever: the runner may have to send them. */
static void ignored_signals_stay_so(void **state)
{
    pid_t runner;

    (void)state;
    file_write("a", "trap 'echo hup >>got' HUP\ntrap 'echo int >>got' INT\nkill -HUP $$\nkill -INT $$\n"
                    "while [ ! -e go ]; do sleep 0.1; done\n");
    assert_true(signal(SIGHUP, SIG_IGN) != SIG_ERR && signal(SIGINT, SIG_IGN) != SIG_ERR);
    runner = start(VM("a", ""));
    assert_true(signal(SIGHUP, SIG_DFL) != SIG_ERR && signal(SIGINT, SIG_DFL) != SIG_ERR);
    file_await("got", "hup\nint\n");
    assert_int_equal(kill(runner, SIGHUP), 0);
    assert_int_equal(kill(runner, SIGINT), 0);
    file_write("go", "");
    assert_int_equal(tool_finish(runner), 0);
}

/* VMs do not outlive a runner that is killed. */
static void a_killed_runner_takes_them_along(void **state)
{
    pid_t runner;

    (void)state;
    file_write("a", "trap 'echo ended >ended; exit 0' TERM\necho ready >ready\nwhile :; do sleep 0.1; done\n");
    runner = start(VM("a", ""));
    file_await("ready", "ready");
    assert_int_equal(kill(runner, SIGKILL), 0);
    assert_int_equal(tool_finish(runner), 128 + SIGKILL);
    file_await("ended", "ended");
}

static void a_console_in_a_file(void **state)
{
    (void)state;
    file_write("console", "what was there before, and longer than what comes\n");
    file_write("a", "echo hello\n[ -e was-here ] || { touch was-here; exit 1; }\n");
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console}, restart: on-failure"))), 0);
    assert_string_equal(file_read("console"), "hello\nhello\n");
    assert_string_equal(file_read("out"), "");
}

static off_t size_of(const char *file)
{
    struct stat status;

    return stat(file, &status) ? -1 : status.st_size;
}

/* At its limit a file becomes the older one, of which there is one. No byte is lost in between. */
static void a_console_in_a_file_that_ends(void **state)
{
    (void)state;
    file_write("a", "seq 100000 139999\n"); /* 7 bytes each */
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console, max_size: 64K}"))), 0);
    assert_true(size_of("console") > 0 && size_of("console") <= 65536);
    assert_true(size_of("console.1") > 65536 - 4096 && size_of("console.1") <= 65536);
    assert_int_equal(size_of("console.2"), -1);

    /* The first line may have lost its beginning. */
    assert_int_equal(shell_run("cat console.1 console | tail -n +2 | "
                               "awk 'NR > 1 && $1 != last + 1 { exit 1 } { last = $1 } END { exit last != 139999 }'"),
                     0);
}

/* As far as it can be written. What is lost is said once, and the VM goes on. */
static void a_console_that_cannot_be_written(void **state)
{
    const char *said;

    (void)state;
    file_write("a", "seq 100000 139999\necho over >&2\n");
    file_write("t.yaml", "vms:\n" VM("a", ", console: {file: console}"));
    assert_int_equal(shell_run("ulimit -f 64; exec \"$0\" run t.yaml"), 0); /* KiB, or blocks of 512 bytes */
    said = strstr(file_read("err"), "a | its console's output is lost for now: cannot write ./console: ");
    assert_non_null(said);
    assert_non_null(strstr(said, "raise it with `ulimit -f`"));
    assert_null(strstr(strchr(said, '\n'), "is lost for now"));
    assert_non_null(strstr(said, "a | over\n"));
    assert_true(size_of("console") > 0);
}

/* Somebody else may have made the link, to a file that only this user may write. */
static void a_console_at_a_link(void **state)
{
    (void)state;
    file_write("a", "echo hello\n");
    file_write("target", "untouched");
    assert_int_equal(symlink("target", "console"), 0);
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console}"))), 2);
    assert_string_equal(file_read("err"), "crossvm: VM a: cannot make its console ./console: it is a symbolic link; "
                                          "name the file itself\n");
    assert_string_equal(file_read("target"), "untouched");

    /* The older file's name is taken, not followed. */
    assert_int_equal(unlink("console"), 0);
    assert_int_equal(symlink("target", "console.1"), 0);
    file_write("a", "seq 100000 139999\n");
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console, max_size: 64K}"))), 0);
    assert_string_equal(file_read("target"), "untouched");
}

static void a_console_in_a_fifo(void **state)
{
    char said[16] = "";
    int reader;

    (void)state;
    file_write("a", "echo hello\n");
    assert_int_equal(mkfifo("console", 0600), 0);
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console}"))), 2);
    assert_string_equal(file_read("err"), "crossvm: VM a: cannot make its console ./console: nobody reads this FIFO\n");

    reader = open("console", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(tool_finish(start(VM("a", ", console: {file: console}"))), 0);
    assert_int_equal(read(reader, said, sizeof(said) - 1), 6);
    assert_string_equal(said, "hello\n");
    close(reader);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Receives until a text has come. */
static void expect(int fd, const char *text)
{
    char said[1024];
    size_t n = 0;

    do {
        ssize_t length = recv(fd, said + n, sizeof(said) - 1 - n, 0);

        if (length <= 0)
            fail_msg("the end, after: %.*s", (int)n, said);
        n += (size_t)length;
        said[n] = '\0';
    } while (!strstr(said, text));
}

static void a_console_at_a_socket(void **state)
{
    struct stat status;
    pid_t runner;
    int client, other;

    (void)state;
    file_write("a",
               "echo before\necho ready >ready\nread -r line\necho \"typed $line\"\nread -r line\necho \"and $line\"\n"
               "while [ ! -e go ]; do sleep 0.1; done\n");
    runner = start(VM("a", ", console: {socket: socket}"));
    file_await("ready", "ready");
    assert_int_equal(stat("socket", &status), 0);
    assert_int_equal(status.st_mode, S_IFSOCK | 0600);
    client = connect_to("socket");
    assert_true(client >= 0);
    expect(client, "before\n"); /* it was printed before anybody came */
    other = connect_to("socket");
    assert_true(other >= 0);
    expect(other, "another program has this console");
    close(other);
    assert_int_equal(send(client, "one\n", 4, 0), 4);
    expect(client, "typed one\n");
    close(client);

    /* The next client finds what the first one saw. */
    client = connect_to("socket");
    assert_true(client >= 0);
    expect(client, "typed one\n");
    assert_int_equal(send(client, "two\n", 4, 0), 4);
    expect(client, "and two\n");
    file_write("go", "");
    assert_int_equal(tool_finish(runner), 0);
    assert_int_equal(recv(client, &other, sizeof(other), 0), 0);
    close(client);
    assert_int_equal(access("socket", F_OK), -1);
    assert_string_equal(file_read("out"), "");
}

/* With room for one in its queue. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 0), 0);
    return fd;
}

static void a_socket_that_cannot_be(void **state)
{
    (void)state;
    file_write("a", "touch started\n");
    assert_int_equal(tool_finish(start(VM("a", ", console: {socket: no/where}"))), 2);
    assert_non_null(strstr(file_read("err"), "cannot listen at ./no/where for a console: No such file or directory"));
    assert_int_equal(access("started", F_OK), -1);

    /* A socket with a full queue is served, and not taken for one that a dead process left. */
    {
        int listener = listen_at("busy"), client = connect_to("busy");

        assert_true(client >= 0);
        assert_int_equal(tool_finish(start(VM("a", ", console: {socket: busy}"))), 2);
        assert_non_null(strstr(file_read("err"), "cannot listen at ./busy for a console: Address already in use"));
        assert_int_equal(access("busy", F_OK), 0);
        close(client);
        close(listener);
    }

    /* Nor is a file taken for such a socket. */
    assert_int_equal(tool_finish(start(VM("a", ", console: {socket: kernel}"))), 2);
    assert_int_equal(access("kernel", F_OK), 0);
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
        RUNNER_TEST(lines_have_names),
        RUNNER_TEST(no_control_function_passes),
        RUNNER_TEST(no_line_is_lost),
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
        RUNNER_TEST(the_last_output_waits_for_its_reader),
        RUNNER_TEST(signals_end_what_nobody_reads),
        RUNNER_TEST(a_signal_ends_all),
        RUNNER_TEST(a_second_signal_ends_them_at_once),
        RUNNER_TEST(two_signals_at_once_are_one),
        RUNNER_TEST(ignored_signals_stay_so),
        RUNNER_TEST(a_killed_runner_takes_them_along),
        RUNNER_TEST(a_console_in_a_file),
        RUNNER_TEST(a_console_in_a_file_that_ends),
        RUNNER_TEST(a_console_that_cannot_be_written),
        RUNNER_TEST(a_console_at_a_link),
        RUNNER_TEST(a_console_in_a_fifo),
        RUNNER_TEST(a_console_at_a_socket),
        RUNNER_TEST(a_socket_that_cannot_be),
        RUNNER_TEST(no_program),
    };

    if (argc < 2)
        return 1;
    tool = argv[1];
    (void)setenv("PATH", ".:/usr/bin:/bin", 1);
    return cmocka_run_group_tests_name("runner", tests, NULL, NULL);
}
