/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines, send, recv and info, as a user of a pair meets them. The tool's path is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pair_fixture.h"
#include "program.h"

/* --- command line --- */

static void help(void **state)
{
    static const char *const commands[] = {"cat", "send", "recv", "ping", "echo", "bench", "pair"};

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct program command = start(commands[i], "--help");
        char usage[64];

        finish(&command);
        assert_int_equal(command.status, 0);
        snprintf(usage, sizeof(usage), "Usage: crossvm %s [OPTION...] NAME", commands[i]);
        assert_non_null(strstr(command.output, usage));
        forget(&command);
        command = start(commands[i]);
        expect(&command, 2, "", "is missing");
        command = start(commands[i], "--frobnicate", "link.0");
        expect(&command, 2, "", "--frobnicate");
    }
}

static void assert_refused(struct program command, const char *sentence)
{
    expect(&command, 2, "", sentence);
}

/* A message that is too large by one byte. */
static void refuse_ping(void)
{
    struct program ping = start("ping", "link.0", "-s", "64K");
    const char *said;
    char size[32];

    finish(&ping);
    assert_int_equal(ping.status, 2);
    said = strstr(ping.errors, "carries up to ");
    assert_non_null(said);
    (void)snprintf(size, sizeof(size), "%lu", strtoul(said + strlen("carries up to "), NULL, 10) + 1);
    forget(&ping);
    assert_refused(start("ping", "link.0", "-t0.01", "-s", size), "carries up to");
}

static void wrong_command_lines(void **state)
{
    (void)state;
    assert_refused(start("cat", "nowhere"), "no connection \"nowhere\"");
    assert_refused(start("cat", "link.0", "link.1"), "what is \"link.1\" for?");
    assert_refused(start("cat", "link.0", "-d", "3"), "has no dataport 3");
    assert_refused(start("recv", "link.1", "-d", "1"), "read-only for this end");
    assert_refused(start("cat", "link.0", "--send-only", "--recv-only"), "nothing to do");
    assert_refused(start("cat", "link.0", "-t", "soon"), "not a number of seconds");
    assert_refused(start("recv", "link.0", "-n", "0"), "whole number from 1 on");
    assert_refused(start("ping", "link.0", "-s", "7"), "give at least 8");
    refuse_ping();
    assert_refused(start("bench", "link.0", "-s", "64,1G"), "carries up to");
    assert_refused(start("bench", "link.0", "-s", "64,x"), "is not a size");
    assert_refused(start("pair", "a/b"), "is no name");
    assert_refused(start("pair", "other", "-p", "100"), "no multiple of 4 KiB");
    assert_refused(start("pair", "other", "-p", "4K:2"), "names no writer: that is 0, 1 or both");
    assert_refused(start("pair", "link"), "another process serves");
}

/* --- send and recv --- */

static void datagrams(void **state)
{
    struct program recv = start("recv", "link.0"), send = start("send", "link.1", "hello", "two words", "", "-t9");

    (void)state;
    expect(&send, 0, "", "");
    expect(&recv, 0, "hello\ntwo words\n\n", "");

    recv = start("recv", "link.1", "--null", "-n2");
    send = start_input("first\n\nlast", 11, "send", "link.0");
    finish(&recv);
    assert_int_equal(recv.status, 0);
    assert_int_equal(recv.length, 7);
    assert_memory_equal(recv.output, "first\0\0", 7);
    forget(&recv);
    finish(&send); /* nobody took the third, which may have been noticed or not */
    forget(&send);

    recv = start("recv", "link.1", "--raw");
    send = start_input("no\nlines", 8, "send", "link.0", "--files", "-", "/dev/null", "-");
    expect(&send, 0, "", "");
    expect(&recv, 0, "no\nlines", "");
}

static void datagrams_that_do_not_go(void **state)
{
    uint8_t *large = make_bytes(65536, 1);
    struct program command;

    (void)state;
    command = start("recv", "link.0", "-t", "0.05");
    expect(&command, 1, "", "did not come in time");
    command = start("send", "link.0", "-t", "0.05", "text");
    expect(&command, 1, "", "did not come in time");

    command = start("recv", "link.0");
    assert_refused(start_with(make_file(large, 65536), words("send", "link.1", "-f", "-")), "too large for a message");
    expect(&command, 0, "", ""); /* the sender came, and closed */
    free(large);
}

static void a_connection_that_ends_is_an_error(void **state)
{
    struct program recv = start("recv", "link.0"), send = start_open(words("send", "link.1"));

    (void)state;
    assert_int_equal(write(send.in, "last\n", 5), 5);
    await_text(&recv, "last", NULL);
    pair_kill_server();
    expect(&recv, 2, "last\n", "has ended; open it again when that is back");
    dismiss(&send);
    pair_start_server();
}

/* --- what a pair is not --- */

static void info_of_a_pair(void **state)
{
    static const char *const foreign[] = {"VM", "interrupt", "INTx", "exits", "events", "device"};
    struct program info = start("info", "link.1"), wait;

    (void)state;
    finish(&info);
    assert_int_equal(info.status, 0);
    assert_non_null(strstr(info.output, "\nend         1\npeer        absent\nowner       none\ndataport 0  64K rw"));
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_null(strstr(info.output, foreign[i]));
    forget(&info);
    assert_refused(start("info", "link"),
                   "connection \"link\" has two ends on this machine: open \"link.0\" or \"link.1\"");
    wait = start("wait", "link.0");
    await_owner("link.0");
    pair_kill_server();
    finish(&wait);
    assert_int_equal(wait.status, 2);
    assert_null(strstr(wait.errors, "VM"));
    assert_null(strstr(wait.errors, "guest"));
    forget(&wait);
    assert_refused(start("info", "link.0"), "start its hub again");
    pair_start_server();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(help),
        pair_case(wrong_command_lines),
        pair_case(datagrams),
        pair_case(datagrams_that_do_not_go),
        pair_case(a_connection_that_ends_is_an_error),
        pair_case(info_of_a_pair),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_commands TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
