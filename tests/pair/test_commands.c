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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pair_fixture.h"

#define MAX_ARGUMENTS 12

/* --- running the tool --- */

/* A command that runs, and what it left when it has ended. */
struct command {
    pid_t pid;
    int in; /* standard input, for the test to write: -1 when it is a file */
    int out_fd;
    int err_fd;
    int status; /* exit status, or 128 and the signal */
    size_t length;
    char *output; /* ends with a NUL */
    char *errors;
};

static int make_file(const void *bytes, size_t length)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void execute(int in, int out, int err, char *const *arguments)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_DFL);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
        _exit(126);
    execvp(arguments[0], arguments);
    _exit(127);
}

/* Starts a program with an input of its own, which stays the caller's, and an output; out -1 makes a file of it. */
static struct command start_program(int in, int out, const char *const arguments[MAX_ARGUMENTS])
{
    struct command command = {.in = -1, .out_fd = out < 0 ? make_file("", 0) : out, .err_fd = make_file("", 0)};

    command.pid = fork();
    assert_true(command.pid >= 0);
    if (command.pid == 0)
        execute(in, command.out_fd, command.err_fd, (char *const *)arguments);
    return command;
}

static struct command start_with(int in, const char *const arguments[MAX_ARGUMENTS])
{
    struct command command = start_program(in, -1, arguments);

    close(in);
    return command;
}

/* With standard input to be written by the test. */
static struct command start_open(const char *const arguments[MAX_ARGUMENTS])
{
    struct command command;
    int input[2];

    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    command = start_with(input[0], arguments);
    command.in = input[1];
    return command;
}

#define words(...) ((const char *const[MAX_ARGUMENTS]){pair_tool, __VA_ARGS__})
#define start_input(bytes, length, ...) start_with(make_file(bytes, length), words(__VA_ARGS__))
#define start(...) start_input("", 0, __VA_ARGS__)

static char *take_file(int fd, size_t *length)
{
    struct stat status;
    char *text;

    assert_int_equal(fstat(fd, &status), 0);
    *length = (size_t)status.st_size;
    text = calloc(1, *length + 1);
    assert_non_null(text);
    assert_int_equal(pread(fd, text, *length, 0), *length);
    close(fd);
    return text;
}

static void close_input(struct command *command)
{
    close(command->in);
    command->in = -1;
}

static int await_status(const struct command *command)
{
    int status;

    assert_int_equal(waitpid(command->pid, &status, 0), command->pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Waits for the end of a program whose output is the test's own. Gives its status. */
static int reap(struct command *command)
{
    close(command->err_fd);
    return await_status(command);
}

static void finish(struct command *command)
{
    size_t length;

    if (command->in >= 0)
        close_input(command);
    command->status = await_status(command);
    command->output = take_file(command->out_fd, &command->length);
    command->errors = take_file(command->err_fd, &length);
}

static void forget(struct command *command)
{
    free(command->output);
    free(command->errors);
}

/* Waits for its end, and checks what it left; errors: a part of them, or "" for none. */
static void expect(struct command *command, int status, const char *output, const char *errors)
{
    finish(command);
    if (command->status != status || strcmp(command->output, output) != 0)
        fail_msg("status %d, output \"%s\", errors \"%s\"", command->status, command->output, command->errors);
    if (errors[0] ? !strstr(command->errors, errors) : command->errors[0])
        fail_msg("errors \"%s\", not \"%s\"", command->errors, errors);
    forget(command);
}

/* Waits until a command owns an end. */
static void await_owner(const char *name)
{
    for (double start = pair_ms(); pair_ms() - start < 10000;) {
        crossvm_end_info_t *ends;
        size_t count;
        bool owned = false;

        assert_int_equal(crossvm_list(&ends, &count, sizeof(*ends)), 0);
        for (size_t i = 0; i < count; i++)
            owned = owned || (strcmp(ends[i].name, name) == 0 && ends[i].owner == 1);
        crossvm_list_free(ends);
        if (owned)
            return;
        usleep(2000);
    }
    fail_msg("nobody has opened %s", name);
}

/* Waits until a file that a command writes holds a text. */
static void await_text(int fd, const char *text)
{
    for (double start = pair_ms(); pair_ms() - start < 10000;) {
        char buffer[4096] = "";

        assert_true(pread(fd, buffer, sizeof(buffer) - 1, 0) >= 0);
        if (strstr(buffer, text))
            return;
        usleep(2000);
    }
    fail_msg("\"%s\" did not come", text);
}

static void end_by_signal(struct command *command, int signal)
{
    assert_int_equal(kill(command->pid, signal), 0);
    finish(command);
}

/* Bytes that are never the same for long. */
static uint8_t *make_bytes(size_t length, uint32_t seed)
{
    uint8_t *bytes = malloc(length);

    assert_non_null(bytes);
    for (size_t i = 0; i < length; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    return bytes;
}

/* --- command line --- */

static void help(void **state)
{
    static const char *const commands[] = {"cat", "send", "recv", "ping", "echo", "bench", "pair"};

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        struct command command = start(commands[i], "--help");
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

static void assert_refused(struct command command, const char *sentence)
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
    struct command recv = start("recv", "link.0"), send = start("send", "link.1", "hello", "two words", "", "-t9");

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
    struct command command;

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
    struct command commands[2] = {start_input(bytes[0], length[0], "cat", "link.0"),
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
    struct command asks = start_input("question", 8, "cat", "link.0"), answers = start_open(words("cat", "link.1"));

    (void)state;
    await_text(answers.out_fd, "question");
    usleep(50000); /* the end of the question has come meanwhile */
    assert_int_equal(write(answers.in, "answer", 6), 6);
    await_text(asks.out_fd, "answer");
    close_input(&answers);
    expect(&asks, 0, "answer", "");
    expect(&answers, 0, "question", "");
}

/* A program between output and input that answers only after the end of what it reads. */
static void a_filter_meets_the_end(void **state)
{
    char script[512];
    struct command shell;

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
    struct command from = start_input("text", 4, "cat", "link.0", "--send-only");
    struct command to = start_open(words("cat", "--recv-only", "link.1"));

    (void)state;
    expect(&from, 0, "", "");
    expect(&to, 0, "text", "");
}

/* A program that writes all it has before it reads: neither direction may hold up the other. */
static void directions_are_independent(void **state)
{
    size_t length = 8000000;
    uint8_t *bytes = make_bytes(length, 3), *buffer = malloc(length);
    struct command echo = start("echo", "--stream", "--once", "link.0");
    struct command cat;
    int input[2], output[2];
    size_t written = 0, taken = 0;

    (void)state;
    assert_non_null(buffer);
    assert_int_equal(pipe2(input, O_CLOEXEC), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC), 0);
    cat = start_program(input[0], output[1], words("cat", "link.1"));
    close(input[0]);
    close(output[1]);
    assert_int_equal(fcntl(input[1], F_SETFL, O_NONBLOCK), 0);
    for (double last = pair_ms(); pair_ms() - last < 300;) { /* until both pipes and both rings are full */
        ssize_t n = write(input[1], bytes + written, length - written);

        if (n > 0) {
            written += (size_t)n;
            last = pair_ms();
        }
    }
    assert_true(written > 65536 && written < length);
    close(input[1]);
    for (ssize_t n = 1; taken < written && n > 0; taken += (size_t)n) {
        n = read(output[0], buffer + taken, length - taken);
        assert_true(n > 0);
    }
    assert_memory_equal(buffer, bytes, written);
    close(output[0]);
    assert_int_equal(reap(&cat), 0);
    expect(&echo, 0, "", "");
    free(bytes);
    free(buffer);
}

static void cat_alone(void **state)
{
    struct command cat = start("cat", "link.0", "-t", "0.1"), other;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), output[2];

    (void)state;
    expect(&cat, 1, "", "did not come in time");

    /* Killed: the other end says so. */
    cat = start_open(words("cat", "link.0"));
    other = start_open(words("cat", "link.1"));
    assert_int_equal(write(cat.in, "text", 4), 4);
    await_text(other.out_fd, "text");
    end_by_signal(&other, SIGKILL);
    forget(&other);
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
    struct command cat = start("cat", "-k", "link.0"), other;
    char text[] = "line 0\n", all[64] = "";

    (void)state;
    for (int i = 0; i < 5; i++) {
        text[5] = (char)('0' + i);
        memcpy(all + strlen(all), text, sizeof(text));
        other = start_input(text, 7, "cat", "link.1", "--send-only");
        expect(&other, 0, "", "");
        await_text(cat.out_fd, all);
    }
    pair_kill_server();
    usleep(100000);
    pair_start_server();
    await_owner("link.0");
    memcpy(all + strlen(all), "back\n", 6);
    other = start_input("back\n", 5, "cat", "link.1", "--send-only");
    expect(&other, 0, "", "");
    await_text(cat.out_fd, all);
    end_by_signal(&cat, SIGTERM);
    assert_string_equal(cat.output, all);
    forget(&cat);
}

static void tar_a_tree(void **state)
{
    char script[1024];
    struct command shell;

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
    struct command echo = start("echo", "link.0"), ping = start("ping", "link.1", "-c3", "-i0.01", "-s100");

    (void)state;
    finish(&ping);
    assert_int_equal(ping.status, 0);
    assert_non_null(strstr(ping.output, "PING link.1: 100 bytes\n100 bytes from link.1: seq=1 time="));
    assert_non_null(strstr(ping.output, "100 bytes from link.1: seq=3 time="));
    assert_non_null(strstr(ping.output, "\n3 sent, 3 answered, 0% lost, "));
    assert_non_null(strstr(ping.output, "round trip min/median/mean/99%/max = "));
    forget(&ping);

    ping = start("ping", "link.1", "--flood", "-c", "3000");
    finish(&ping);
    assert_int_equal(ping.status, 0);
    assert_non_null(strstr(ping.output, "\n3000 sent, 3000 answered, 0% lost, "));
    forget(&ping);

    /* Ctrl-C ends it with the statistics. */
    ping = start("ping", "link.1", "-i0.01");
    await_text(ping.out_fd, "seq=2");
    end_by_signal(&ping, SIGINT);
    assert_int_equal(ping.status, 0);
    assert_non_null(strstr(ping.output, "round trip min"));
    forget(&ping);

    /* The echo goes, and another comes. */
    ping = start("ping", "link.1", "-i0.02", "-W0.2");
    await_text(ping.out_fd, "seq=2");
    end_by_signal(&echo, SIGKILL);
    forget(&echo);
    await_text(ping.out_fd, "waiting for the next one");
    echo = start("echo", "link.0");
    usleep(400000);
    end_by_signal(&ping, SIGINT);
    assert_int_equal(ping.status, 0);
    assert_non_null(strstr(strstr(ping.output, "waiting for the next one"), "56 bytes from link.1: seq="));
    forget(&ping);
    end_by_signal(&echo, SIGTERM);
    assert_int_equal(echo.status, 0);
    assert_string_equal(echo.errors, "");
    forget(&echo);
}

static void ping_nobody(void **state)
{
    struct command ping = start("ping", "link.1", "-c2", "-i0", "-W0.05", "-t0.05"), other;

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
static void judge_bench(struct command *run)
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
    struct command serve = start("bench", "--serve", "link.0"), run;

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
    struct command serve = start("bench", "--serve", "--stream", "--spin=0", "link.0"), run;

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
