/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The programs that serve a hub: each of their threads is confined, and a system call that is not on its list ends the
 * process. crossvm-vm needs KVM, so tests/guest/boot has its threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../src/wire/descriptors.h"
#include "../run/topology_file.h"

#define TOPOLOGY                                                                                                       \
    "vms:\n  - {name: a, kernel: kernel, console: {socket: console}}\n"                                                \
    "connections:\n  - {name: link, ends: [a, host], dataports: [{size: 64K, writer: a}]}\n"

static const char *make_call; /* the program */

/* Lets a thread of a program make a call that no list has. Whether it is confined, which is waited for. */
static void attack(pid_t program, const char *thread, bool confined)
{
    const char *crossvm = tool;
    char pid[16];

    (void)snprintf(pid, sizeof(pid), "%d", (int)program);
    tool = make_call;
    assert_int_equal(confined ? RUN(pid, thread) : RUN(pid, thread, "at-once"), 0);
    tool = crossvm;
}

static void assert_says(const char *sentence)
{
    if (!strstr(file_read("log"), sentence))
        fail_msg("it says \"%s\", without \"%s\"", file_read("log"), sentence);
}

/* Starts a command of crossvm whose output goes to the file log: "out" and "err" are those of other programs, too. */
static pid_t start(const char *arguments)
{
    const char *crossvm = tool;
    char line[256];
    pid_t program;

    (void)snprintf(line, sizeof(line), "exec \"$0\" %s >log 2>&1", arguments);
    tool = "/bin/sh";
    program = tool_start((const char *const[]){"-c", line, crossvm, NULL});
    tool = crossvm;
    return program;
}

static void assert_forbidden(pid_t program, const char *sentence)
{
    assert_int_equal(tool_finish(program), 128 + SIGSYS);
    assert_says(sentence);
}

static void pair_is_confined(void **state)
{
    pid_t program = start("pair link --socket-dir .");

    (void)state;
    attack(program, "crossvm", true);
    assert_forbidden(program, "link.0 link.1\ncrossvm: the thread main made the system call openat (");
}

static void forward_is_confined(void **state)
{
    pid_t pair = start("pair link --socket-dir .");
    pid_t program;

    (void)state;
    file_await("log", "link.0 link.1");
    assert_int_equal(setenv("CROSSVM_DIR", ".", 1), 0);
    program = start("forward link.0 -L 0:target --allow 22");
    attack(program, "crossvm", true);
    assert_forbidden(program, " target\ncrossvm: the thread main made the system call openat (");
    assert_int_equal(kill(pair, SIGTERM), 0);
    assert_int_equal(tool_finish(pair), 0);
}

static void hub_is_confined(void **state)
{
    pid_t program;

    (void)state;
    file_write("t.yaml", TOPOLOGY);
    program = start("hub t.yaml --socket-dir .");
    attack(program, "crossvm", true);
    assert_forbidden(program, "link@a.crossvm-vm\ncrossvm: the thread main made the system call openat (");
}

/* A stand-in for crossvm-vm, in the folder of which a copy of the tool is run. It ends with the runner. */
static void make_vm(void)
{
    const char *crossvm = tool;
    char line[512];

    file_write("crossvm-vm", "#!/bin/sh\ntrap 'echo ended >ended; exit 0' TERM\necho ready >ready\n"
                             "while :; do sleep 0.1; done\n");
    assert_int_equal(chmod("crossvm-vm", 0755), 0);
    (void)snprintf(line, sizeof(line), "cp '%s' crossvm", crossvm);
    assert_int_equal(shell_run(line), 0);
    file_write("t.yaml", TOPOLOGY);
}

static void attack_runner(const char *thread, const char *sentence)
{
    const char *crossvm = tool;
    pid_t program;

    make_vm();
    tool = "./crossvm";
    program = start("run t.yaml --socket-dir .");
    file_await("ready", "ready");
    attack(program, thread, true);
    assert_forbidden(program, sentence);
    file_await("ended", "ended"); /* its VM does not outlive it */
    tool = crossvm;
}

static void the_runner_is_confined(void **state)
{
    (void)state;
    attack_runner("crossvm", "crossvm: the thread main made the system call openat (");
}

static void the_runners_hub_is_confined(void **state)
{
    (void)state;
    attack_runner("hub", "crossvm: the thread hub made the system call openat (");
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    assert_true(fd >= 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* A client that breaks the protocol and leaves files in its queue: a thread closes them, which is started then. */
static void what_clients_send_is_closed_in_threads(void **state)
{
    pid_t program = start("pair link --socket-dir .");
    const int file = open("kernel", O_RDONLY);
    int client;
    char byte;

    (void)state;
    file_await("log", "link.0 link.1");
    assert_int_equal(kill(program, SIGSTOP), 0); /* all is sent before it looks */
    client = connect_to("link.0.sock");
    for (int i = 0; i < 5; i++)
        assert_int_equal(cvm_descriptors_send(client, "", 1, &file, 1), 0);
    assert_int_equal(kill(program, SIGCONT), 0);
    assert_int_equal(recv(client, &byte, 1, 0), 0);
    assert_int_equal(setenv("CROSSVM_DIR", ".", 1), 0);
    assert_int_equal(RUN("info", "link.0"), 0);
    close(client);
    close(file);
    assert_int_equal(kill(program, SIGTERM), 0);
    assert_int_equal(tool_finish(program), 0);
    assert_string_equal(file_read("log"), "link.0 link.1\n");
}

/* Whoever floods sockets with descriptors, as the same user, keeps no VM from starting. */
static void descriptors_of_others_do_not_count(void **state)
{
    const int one = STDERR_FILENO;
    const char *crossvm = tool;
    int sockets[2];
    pid_t program;

    (void)state;
    make_vm();
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(cvm_descriptors_send(sockets[0], "", 1, &one, 1), 0);
    tool = "./crossvm";
    program = start("run t.yaml --socket-dir .");
    file_await("ready", "ready");
    assert_int_equal(kill(program, SIGTERM), 0);
    assert_int_equal(tool_finish(program), 128 + SIGTERM);
    tool = crossvm;
    close(sockets[0]);
    close(sockets[1]);
}

/* The call is made instead of the one that the loop wanted to make, and fails. */
static void without_a_sandbox_the_call_is_made(void **state)
{
    pid_t program = start("pair link --socket-dir . --no-sandbox");

    (void)state;
    file_await("log", "link.0 link.1");
    attack(program, "crossvm", false);
    assert_int_equal(tool_finish(program), 2);
    assert_says("crossvm: cannot wait for events: Bad address\n");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(pair_is_confined),
        FOLDER_TEST(forward_is_confined),
        FOLDER_TEST(hub_is_confined),
        FOLDER_TEST(the_runner_is_confined),
        FOLDER_TEST(the_runners_hub_is_confined),
        FOLDER_TEST(what_clients_send_is_closed_in_threads),
        FOLDER_TEST(descriptors_of_others_do_not_count),
        FOLDER_TEST(without_a_sandbox_the_call_is_made),
    };

    assert_true(argc == 3);
    tool = argv[1];
    make_call = argv[2];
    return cmocka_run_group_tests_name("programs", tests, NULL, NULL);
}
