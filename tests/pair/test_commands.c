/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands that use channels, as a user meets them, two at a time. The tool's path is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
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
    assert_refused(start("ping", "link.0", "-s", "64K"), "carries up to");
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

/* --- cat --- */

static void both_ways(void **state)
{
    const size_t length[2] = {30000001, 20000003};
    uint8_t *bytes[2] = {make_bytes(length[0], 1), make_bytes(length[1], 2)};
    struct program commands[2] = {start_input(bytes[0], length[0], "cat", "link.0"),
                                  start_input(bytes[1], length[1], "cat", "link.1")};

    (void)state;
    for (int i = 0; i < 2; i++) {
        finish(&commands[i]);
        assert_string_equal(commands[i].errors, "");
        assert_int_equal(commands[i].status, 0);
        assert_int_equal(commands[i].length, length[1 - i]);
        assert_memory_equal(commands[i].output, bytes[1 - i], length[1 - i]);
        forget(&commands[i]);
    }
    free(bytes[0]);
    free(bytes[1]);
}

static void half_close(void **state)
{
    struct program asks = start_input("question", 8, "cat", "link.0"), answers = start_open(words("cat", "link.1"));

    (void)state;
    await_text(&answers, "question", NULL);
    await_closed_output(&answers); /* so the end of the question has come */
    assert_int_equal(write(answers.in, "answer", 6), 6);
    await_text(&asks, "answer", NULL);
    close_input(&answers);
    expect(&asks, 0, "answer", "");
    expect(&answers, 0, "question", "");
}

/* A program between output and input that answers only after the end of what it reads. */
static void a_filter_meets_the_end(void **state)
{
    char script[512];
    struct program shell;

    (void)state;
    snprintf(script, sizeof(script),
             "dir=$(mktemp -d); trap 'rm -rf $dir' EXIT; mkfifo $dir/f; "
             "{ %s cat link.1 <$dir/f | sort >$dir/f; } & printf 'b\\na\\n' | %s cat link.0 && wait",
             pair_tool, pair_tool);
    shell = start_program(0, -1, (const char *const[MAX_ARGUMENTS]){"sh", "-c", script});
    expect(&shell, 0, "a\nb\n", "");
}

static void one_direction(void **state)
{
    struct program from = start_input("text", 4, "cat", "link.0", "--send-only");
    struct program to = start_open(words("cat", "--recv-only", "link.1"));

    (void)state;
    expect(&from, 0, "", "");
    expect(&to, 0, "text", "");
}

/*
 * Each direction moves on while the other is stuck. Nobody reads the output of the one `cat` until the other has all
 * that the first one read: so the first has an output that is stuck, and the second an input.
 */
static void directions_are_independent(void **state)
{
    const size_t length = 8000000;
    uint8_t *sent[2] = {make_bytes(length, 3), make_bytes(length, 4)}, *taken = malloc(length + 1);
    struct program stuck, other;
    int output[2], input = make_file(sent[0], length);
    size_t used = 0;
    ssize_t n;

    (void)state;
    assert_non_null(taken);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    assert_true(fcntl(output[1], F_SETPIPE_SZ, 4096) >= 0); /* less than one write: one that blocks shows */
    stuck = start_program(input, output[1], words("cat", "link.0"));
    close(input);
    close(output[1]);
    other = start_input(sent[1], length, "cat", "link.1");
    await_length(&other, length);
    while ((n = read(output[0], taken + used, length + 1 - used)) > 0)
        used += (size_t)n;
    assert_int_equal(used, length);
    assert_memory_equal(taken, sent[1], length);
    close(output[0]);
    assert_int_equal(reap(&stuck), 0);
    finish(&other);
    assert_int_equal(other.status, 0);
    assert_string_equal(other.errors, "");
    assert_int_equal(other.length, length);
    assert_memory_equal(other.output, sent[0], length);
    forget(&other);
    free(sent[0]);
    free(sent[1]);
    free(taken);
}

static void cat_alone(void **state)
{
    struct program cat = start("cat", "link.0", "-t", "0.1"), other;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), output[2];

    (void)state;
    expect(&cat, 1, "", "did not come in time");

    /* Killed: the other end says so. */
    cat = start_open(words("cat", "link.0"));
    other = start_open(words("cat", "link.1"));
    assert_int_equal(write(cat.in, "text", 4), 4);
    await_text(&other, "text", NULL);
    dismiss(&other);
    finish(&cat);
    assert_int_equal(cat.status, 2);
    assert_non_null(strstr(cat.errors, "is gone, or closed it"));
    forget(&cat);

    /* Closed while nothing comes from standard input: a good end. */
    cat = start_open(words("cat", "link.0"));
    other = start_input("text", 4, "cat", "link.1", "--send-only");
    expect(&other, 0, "", "");
    assert_int_equal(await_status(&cat), 0);
    close_input(&cat);
    assert_int_equal(close(cat.err_fd), 0);
    close(cat.out_fd);

    /* Nobody reads standard output. */
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    close(output[0]);
    cat = start_program(null, output[1], words("cat", "link.0"));
    close(output[1]);
    close(null);
    other = start_input("text", 4, "cat", "link.1");
    assert_int_equal(reap(&cat), 141);
    finish(&other);
    forget(&other);
}

static void keep_open(void **state)
{
    struct program cat = start("cat", "-k", "link.0"), other;
    char text[] = "line 0\n", all[64] = "";

    (void)state;
    for (int i = 0; i < 5; i++) {
        text[5] = (char)('0' + i);
        memcpy(all + strlen(all), text, sizeof(text));
        other = start_input(text, 7, "cat", "link.1", "--send-only");
        expect(&other, 0, "", "");
        await_text(&cat, all, NULL);
    }
    pair_kill_server();
    pair_start_server();
    await_owner("link.0");
    memcpy(all + strlen(all), "back\n", 6);
    other = start_input("back\n", 5, "cat", "link.1", "--send-only");
    expect(&other, 0, "", "");
    await_text(&cat, all, NULL);
    end_by_signal(&cat, SIGTERM);
    assert_string_equal(cat.output, all);
    forget(&cat);
}

static void tar_a_tree(void **state)
{
    char script[1024];
    struct program shell;

    (void)state;
    snprintf(script, sizeof(script),
             "set -e; dir=$(mktemp -d); trap 'rm -rf $dir' EXIT; mkdir -p $dir/from/a/b $dir/to; "
             "seq 100000 >$dir/from/a/numbers; ln -s numbers $dir/from/a/link; head -c 300000 /dev/urandom "
             ">$dir/from/a/b/x; "
             "%s cat link.0 </dev/null | tar -C $dir/to -x & tar -C $dir/from -c . | %s cat link.1; wait $!; "
             "diff -r $dir/from $dir/to && readlink $dir/to/a/link",
             pair_tool, pair_tool);
    shell = start_program(0, -1, (const char *const[MAX_ARGUMENTS]){"sh", "-c", script});
    expect(&shell, 0, "numbers\n", "");
}

/* --- ping, echo and bench --- */

static void ping_and_echo(void **state)
{
    struct program echo = start("echo", "link.0"), ping = start("ping", "link.1", "-c3", "-i0.01", "-s100", "-W60");

    (void)state;
    finish(&ping);
    assert_int_equal(ping.status, 0);
    assert_non_null(strstr(ping.output, "PING link.1: 100 bytes\n100 bytes from link.1: seq=1 time="));
    assert_non_null(strstr(ping.output, "100 bytes from link.1: seq=3 time="));
    assert_non_null(strstr(ping.output, "\n3 sent, 3 answered, 0% lost, "));
    assert_non_null(strstr(ping.output, "round trip min/median/mean/99%/max = "));
    forget(&ping);

    ping = start("ping", "link.1", "--flood", "-c", "3000", "-W60");
    finish(&ping);
    assert_int_equal(ping.status, 0);
    assert_non_null(strstr(ping.output, "\n3000 sent, 3000 answered, 0% lost, "));
    forget(&ping);

    /* Ctrl-C ends it with the statistics. */
    ping = start("ping", "link.1", "-i0.01", "-W60");
    await_text(&ping, "seq=2", NULL);
    end_by_signal(&ping, SIGINT);
    assert_int_equal(ping.status, 0);
    assert_non_null(strstr(ping.output, "round trip min"));
    forget(&ping);

    /* The echo goes, and another comes. */
    ping = start("ping", "link.1", "-i0.02", "-W0.2");
    await_text(&ping, "seq=2", NULL);
    dismiss(&echo);
    await_text(&ping, "waiting for the next one", NULL);
    echo = start("echo", "link.0");
    await_text(&ping, "waiting for the next one", "56 bytes from link.1: seq=");
    end_by_signal(&ping, SIGINT);
    assert_int_equal(ping.status, 0);
    forget(&ping);
    end_by_signal(&echo, SIGTERM);
    assert_int_equal(echo.status, 0);
    assert_string_equal(echo.errors, "");
    forget(&echo);
}

static void ping_nobody(void **state)
{
    struct program ping = start("ping", "link.1", "-c2", "-i0", "-W0.05", "-t0.05"), other;

    (void)state;
    expect(&ping, 1, "PING link.1: 56 bytes\n", "waiting for `crossvm echo` at the other end of connection \"link.1\"");

    other = start("recv", "link.0");
    ping = start("ping", "link.1", "-c2", "-i0", "-W0.05");
    finish(&ping);
    assert_int_equal(ping.status, 1);
    assert_non_null(strstr(ping.output, "no answer from link.1: seq=1\nno answer from link.1: seq=2\n"));
    assert_non_null(strstr(ping.output, "\n2 sent, 0 answered, 100% lost, "));
    forget(&ping);
    finish(&other);
    forget(&other);
}

static double number(const json_t *object, const char *group, const char *name)
{
    const json_t *value = json_object_get(group ? json_object_get(object, group) : object, name);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* What `bench --json` says of 64 bytes and of 4 KiB. */
static void judge_bench(struct program *run)
{
    json_t *results;

    finish(run);
    assert_string_equal(run->errors, "");
    assert_int_equal(run->status, 0);
    results = json_loads(run->output, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(results, "name")), "link.1");
    assert_int_equal(json_array_size(json_object_get(results, "results")), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *result = json_array_get(json_object_get(results, "results"), i);

        assert_int_equal((int)number(result, NULL, "size"), i ? 4096 : 64);
        assert_true(number(result, "round_trip_us", "min") > 0);
        assert_true(number(result, "round_trip_us", "p50") <= number(result, "round_trip_us", "p99.9"));
        assert_true(number(result, "to_peer", "messages_per_second") > 0);
        assert_true(number(result, "from_peer", "bytes_per_second") > 0);
        assert_null(json_object_get(result, "exits_per_round_trip")); /* there is no guest */
    }
    json_decref(results);
    forget(run);
}

static void bench(void **state)
{
    struct program serve = start("bench", "--serve", "link.0"), run;

    (void)state;
    await_owner("link.0");
    run = start("bench", "link.1", "--json", "-T0.02", "-s64,4K");
    judge_bench(&run);
    run = start("bench", "link.1", "-T0.01");
    finish(&run);
    assert_int_equal(run.status, 0);
    assert_non_null(strstr(run.output, "\n     64 "));
    forget(&run);
    end_by_signal(&serve, SIGINT);
    assert_int_equal(serve.status, 0);
    assert_string_equal(serve.errors, "");
    forget(&serve);
}

static void bench_of_a_stream(void **state)
{
    struct program serve = start("bench", "--serve", "--stream", "--spin=0", "link.0"), run;

    (void)state;
    await_owner("link.0");
    run = start("bench", "link.1", "--stream", "--json", "-T0.02", "-s64,4K");
    judge_bench(&run);
    end_by_signal(&serve, SIGINT);
    assert_int_equal(serve.status, 0);
    assert_string_equal(serve.errors, "");
    forget(&serve);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(help),
        pair_case(wrong_command_lines),
        pair_case(datagrams),
        pair_case(datagrams_that_do_not_go),
        pair_case(both_ways),
        pair_case(half_close),
        pair_case(a_filter_meets_the_end),
        pair_case(one_direction),
        pair_case(directions_are_independent),
        pair_case(cat_alone),
        pair_case(keep_open),
        pair_case(tar_a_tree),
        pair_case(ping_and_echo),
        pair_case(ping_nobody),
        pair_case(bench),
        pair_case(bench_of_a_stream),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_commands TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
