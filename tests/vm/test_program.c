/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * crossvm-vm as a program: what it refuses before it opens /dev/kvm, its standard streams, and signals while it starts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../run/topology_file.h"

#define SHELL "/bin/sh"

/* Runs a line of shell, in which $VM is the program. */
static int shell(const char *line)
{
    tool = SHELL;
    return RUN("-c", line);
}

static void assert_says(const char *sentence)
{
    if (!strstr(file_read("err"), sentence))
        fail_msg("it says \"%s\", without \"%s\"", file_read("err"), sentence);
}

/* --- arguments --- */

static void what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *arguments, *sentence;
    } cases[] = {
        {"", "no kernel: name a Linux image with --kernel"},
        {"--kernel nowhere", "crossvm-vm: nowhere: cannot open it: No such file or directory\n"},
        {"--kernel fifo", "crossvm-vm: fifo: it is a FIFO; give a regular file\n"},
        {"--kernel .", "crossvm-vm: .: it is a directory; give a regular file\n"},
        {"--kernel /dev/zero", "crossvm-vm: /dev/zero: it is a device; give a regular file\n"},
        {"--kernel kernel", "crossvm-vm: kernel: it is empty\n"}, /* as the fixture makes it */
        {"--kernel text", "crossvm-vm: text: it is no kernel; give "},
        {"--kernel gzip", "crossvm-vm: gzip: it is compressed with gzip; unpack it\n"},
        {"--kernel k --memory 1000", "--memory: \"1000\" is not a multiple of 1M from 1M to 2G"},
        {"--kernel k --memory 4G", "--memory: \"4G\" is not a multiple of 1M from 1M to 2G"},
        {"--kernel k --vcpus 9", "--vcpus: \"9\" is not a whole number from 1 to 8"},
        {"--kernel k --command-line $(head -c 2025 /dev/zero | tr '\\0' a)",
         "--command-line has 2025 bytes, and at most 2024 fit: Linux takes 2047, of which \"console=ttyS0 panic=-1 \" "
         "takes 23"},
        {"--kernel text --command-line $(head -c 2024 /dev/zero | tr '\\0' a)", "text: it is no kernel"},
    };

    (void)state;
    assert_int_equal(mkfifo("fifo", 0600), 0);
    file_write("text", "no kernel\n");
    file_write("gzip", "\x1f\x8b\x08 and so on");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[512];

        (void)snprintf(line, sizeof(line), "exec \"$VM\" %s </dev/null", cases[i].arguments);
        assert_int_equal(shell(line), 72);
        assert_says(cases[i].sentence);
        assert_string_equal(file_read("out"), "");
    }
}

static void joins_that_fail(void **state)
{
    static const struct {
        const char *arguments;
        const char *sentence;
    } cases[] = {
        {"--dump --join 77", "--join: \"77\" is neither the path of a socket, with a slash in it, nor the number of an "
                             "open descriptor"},
        {"--dump --join text", "--join: \"text\" is neither the path of a socket"},
        {"--dump --join ./nowhere",
         "--join: cannot connect to ./nowhere: No such file or directory; does a hub run there"},
        {"--dump --join ./text", "--join: cannot connect to ./text: Connection refused"},
        {"--dump --join /$(head -c 200 /dev/zero | tr '\\0' a)", "a is too long for a socket"},
    };

    (void)state;
    file_write("text", "no socket\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[512];

        (void)snprintf(line, sizeof(line), "exec \"$VM\" %s </dev/null", cases[i].arguments);
        assert_int_equal(shell(line), 1);
        assert_says(cases[i].sentence);
        assert_string_equal(file_read("out"), "");
    }
}

static void help_and_version_are_printed(void **state)
{
    (void)state;
    assert_int_equal(shell("exec \"$VM\" --help"), 0);
    assert_non_null(strstr(file_read("out"), "--command-line=STRING"));
    assert_int_equal(shell("exec \"$VM\" -h"), 0);
    assert_non_null(strstr(file_read("out"), "--command-line=STRING"));
    assert_int_equal(shell("exec \"$VM\" --version"), 0);
    assert_memory_equal(file_read("out"), "crossvm-vm ", 11);
    assert_int_equal(shell("exec \"$VM\" --help >/dev/full"), 1);
    assert_says("cannot write to standard output");
}

/* --- standard streams --- */

static void a_closed_output_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(shell("exec \"$VM\" --dump >&-"), 1);
    assert_says("cannot write to standard output: it is closed");
    assert_int_equal(shell("exec \"$VM\" --dump <&-"), 0);
    assert_non_null(strstr(file_read("out"), "vm: no connections"));
    assert_int_equal(shell("exec \"$VM\" --dump 2>&-"), 0);
    assert_non_null(strstr(file_read("out"), "vm: no connections"));
}

/* Where a descriptor of a process leads to; "" when it has none of that number. */
static const char *target_of(pid_t pid, const char *fd)
{
    static char target[256];
    char path[300];
    ssize_t length;

    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, fd);
    length = readlink(path, target, sizeof(target) - 1);
    target[length > 0 ? length : 0] = '\0';
    return target;
}

/* Waits until a process has a descriptor that leads there. */
static void await_descriptor(pid_t pid, const char *target)
{
    for (;;) {
        char path[32];
        const struct dirent *entry;
        bool found = false;
        DIR *folder;

        (void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
        folder = opendir(path);
        assert_non_null(folder);
        while (!found && (entry = readdir(folder)))
            found = strcmp(target_of(pid, entry->d_name), target) == 0;
        (void)closedir(folder);
        if (found)
            return;
        usleep(1000);
    }
}

static int joined[2]; /* the first end is the program's, which waits there for a message */

/* Starts the program so that it waits while it starts. `redirection` is the shell's. */
static pid_t start_waiting(const char *redirection)
{
    static char line[128];

    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, joined), 0);
    (void)snprintf(line, sizeof(line), "exec \"$VM\" --dump --join %d %s", joined[0], redirection);
    tool = SHELL;
    return tool_start((const char *const[]){"-c", line, NULL});
}

static void end_waiting(pid_t pid)
{
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(tool_finish(pid), 128 + SIGTERM);
    close(joined[0]);
    close(joined[1]);
}

static void no_descriptor_of_ours_is_a_standard_one(void **state)
{
    static const char *const closed[][2] = {{"<&-", "0"}, {">&-", "1"}, {"2>&-", "2"}, {"<&- >&- 2>&-", "1"}};

    (void)state;
    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        pid_t pid = start_waiting(closed[i][0]);

        await_descriptor(pid, "anon_inode:[eventpoll]");
        assert_string_equal(target_of(pid, closed[i][1]), "/dev/null");
        end_waiting(pid);
    }
}

/* --- signals --- */

/* As a program has them that waits for them by signalfd and starts another. */
static void signals_end_a_start_although_they_were_blocked(void **state)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t all, before;

    (void)state;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        pid_t pid;

        assert_int_equal(sigprocmask(SIG_BLOCK, &all, &before), 0);
        pid = start_waiting("");
        assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
        assert_int_equal(kill(pid, numbers[i]), 0);
        assert_int_equal(tool_finish(pid), 128 + numbers[i]);
        close(joined[0]);
        close(joined[1]);
    }
}

static void ignored_signals_stay_ignored(void **state)
{
    pid_t pid;

    (void)state;
    (void)signal(SIGHUP, SIG_IGN);
    pid = start_waiting("");
    (void)signal(SIGHUP, SIG_DFL);
    await_descriptor(pid, "anon_inode:[eventpoll]");
    assert_int_equal(kill(pid, SIGHUP), 0);
    end_waiting(pid);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(what_is_wrong_is_named),
        FOLDER_TEST(joins_that_fail),
        FOLDER_TEST(help_and_version_are_printed),
        FOLDER_TEST(a_closed_output_is_an_error),
        FOLDER_TEST(no_descriptor_of_ours_is_a_standard_one),
        FOLDER_TEST(signals_end_a_start_although_they_were_blocked),
        FOLDER_TEST(ignored_signals_stay_ignored),
    };

    if (argc != 2)
        return 2;
    (void)setenv("VM", argv[1], 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
