/* SPDX-License-Identifier: BSD-2-Clause */
/* How a runner ends: with slow readers, by signals, and killed. Argument: the tool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runner_fixture.h"

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
    /* How it ended is said once, behind that; how soon it starts again depends on when that was. */
    said = file_read("err");
    assert_ptr_equal(strstr(said, "crossvm: VM a ended with status 3; it is started again in "), said);
    assert_string_equal(strchr(said, '\n'), "\ncrossvm: VM a ended\n");
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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        RUNNER_TEST(the_last_output_waits_for_its_reader),
        RUNNER_TEST(signals_end_what_nobody_reads),
        RUNNER_TEST(a_signal_ends_all),
        RUNNER_TEST(a_second_signal_ends_them_at_once),
        RUNNER_TEST(two_signals_at_once_are_one),
        RUNNER_TEST(ignored_signals_stay_so),
        RUNNER_TEST(a_killed_runner_takes_them_along),
    };

    if (argc < 2)
        return 1;
    tool = argv[1];
    return cmocka_run_group_tests_name("ends of a runner", tests, NULL, NULL);
}
