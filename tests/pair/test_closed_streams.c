/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every command with each combination of standard input, output and error closed, and with outputs that cannot be
 * written. A closed input is at its end, writing to a closed output is an error, and nothing else gets their numbers.
 * The tool's path is the argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pair_fixture.h"
#include "program.h"

enum { CLOSED_INPUT = 1, CLOSED_OUTPUT = 2, CLOSED_ERRORS = 4, NUM_COMBINATIONS = 8 };

/* A command, at link.0 if it uses an end, and what happens when nothing is closed. */
struct trial {
    const char *arguments[MAX_ARGUMENTS];
    const char *peer[MAX_ARGUMENTS]; /* runs at link.1, with the input "from 1" */
    const char *output;              /* begins so; NULL: it writes nothing */
    bool takes_input;                /* the peer gets its input, "from 0" */
    bool serves;                     /* until a signal ends it, with status 0 */
};

static const struct trial trials[] = {
    {.arguments = {"help"}, .output = "Usage: crossvm "},
    {.arguments = {"version"}, .output = "crossvm "},
    {.arguments = {"cat", "--help"}, .output = "Usage: crossvm cat "},
    {.arguments = {"ls"}, .output = "NAME "},
    {.arguments = {"ls", "--json"}, .output = "[\n"},
    {.arguments = {"info", "link.0"}, .output = "name        link.0\n"},
    {.arguments = {"info", "--json", "link.0"}, .output = "{\n"},
    {.arguments = {"emit", "link.0"}},
    {.arguments = {"wait", "link.0"}, .peer = {"emit", "link.1"}, .output = "1\n"},
    {.arguments = {"read", "link.0", "-l", "2"}, .output = ""},
    {.arguments = {"read", "link.0", "-l", "2", "-x"}, .output = "00000000 "},
    {.arguments = {"write", "link.0", "x"}},
    {.arguments = {"write", "link.0"}},
    {.arguments = {"cat", "link.0"}, .peer = {"cat", "link.1"}, .output = "from 1", .takes_input = true},
    {.arguments = {"cat", "--send-only", "link.0"}, .peer = {"cat", "--recv-only", "link.1"}, .takes_input = true},
    {.arguments = {"cat", "--recv-only", "link.0"}, .peer = {"cat", "--send-only", "link.1"}, .output = "from 1"},
    {.arguments = {"send", "link.0"}, .peer = {"recv", "link.1", "--raw"}, .takes_input = true},
    {.arguments = {"recv", "link.0"}, .peer = {"send", "link.1"}, .output = "from 1\n"},
    {.arguments = {"ping", "link.0", "-c1", "-W60"}, .peer = {"echo", "link.1"}, .output = "PING link.0: 56 bytes\n"},
    {.arguments = {"echo", "link.0"}, .peer = {"ping", "link.1", "-c1", "-W60"}, .serves = true},
    {.arguments = {"bench", "link.0", "-s64", "-T0"}, .peer = {"bench", "--serve", "link.1"}, .output = "    "},
    {.arguments = {"bench", "--serve", "link.0"}, .peer = {"bench", "link.1", "-s64", "-T0"}, .serves = true},
    {.arguments = {"pair", "other", "--socket-dir=."}, .output = "other.0 other.1\n", .serves = true},
    {.arguments = {"run", "--check", "t.yaml"}, .output = "t.yaml: "},
};

#define NUM_TRIALS (sizeof(trials) / sizeof(trials[0]))

static struct program start_words(unsigned int closed, const char *input, const char *const *arguments)
{
    const char *all[MAX_ARGUMENTS] = {pair_tool};

    memcpy(all + 1, arguments, (MAX_ARGUMENTS - 1) * sizeof(all[0]));
    return start_closed(closed, make_file(input, strlen(input)), all);
}

/* --- what they do --- */

static void judge(const struct trial *trial, unsigned int closed, const struct program *program)
{
    bool fails = trial->output && closed & CLOSED_OUTPUT;

    if (program->status != (fails ? 2 : 0))
        fail_msg("%s, closed %u: status %d, errors \"%s\"", trial->arguments[0], closed, program->status,
                 program->errors);
    if (!trial->output || fails)
        assert_string_equal(program->output, "");
    else
        assert_memory_equal(program->output, trial->output, strlen(trial->output));
    if (closed & CLOSED_ERRORS)
        assert_string_equal(program->errors, "");
    else if (fails)
        assert_non_null(strstr(program->errors, "cannot write to standard output: it is closed"));
}

/* The peer got the input and nothing else; the beginning of it if the command failed. */
static void judge_peer(const struct program *peer, unsigned int closed, bool fails)
{
    const char *input = closed & CLOSED_INPUT ? "" : "from 0";

    assert_true(fails ? peer->length <= strlen(input) : peer->length == strlen(input));
    assert_memory_equal(peer->output, input, peer->length);
}

static void try(const struct trial *trial, unsigned int closed)
{
    bool fails = trial->output && closed & CLOSED_OUTPUT, has_peer = trial->peer[0];
    struct program peer = {0}, program;

    if (has_peer)
        peer = start_words(0, "from 1", trial->peer);
    program = start_words(closed, "from 0", trial->arguments);
    if (has_peer && (trial->serves || (trial->takes_input && !fails)))
        finish(&peer);
    else if (trial->serves && !fails)
        await_text(&program, trial->output, NULL);
    if (trial->serves && !fails)
        end_by_signal(&program, SIGTERM);
    else
        finish(&program);
    if (has_peer && !peer.output)
        end_by_signal(&peer, SIGTERM);
    judge(trial, closed, &program);
    if (trial->takes_input)
        judge_peer(&peer, closed, fails);
    forget(&peer);
    forget(&program);
}

static void behaviour(void **state)
{
    (void)state;
    for (size_t i = 0; i < NUM_TRIALS; i++) {
        for (unsigned int closed = 0; closed < NUM_COMBINATIONS; closed++)
            try(&trials[i], closed);
    }
}

/* --- what they have open --- */

/* What was closed is /dev/null. */
static void assert_nothing_else_there(const struct program *program, unsigned int closed)
{
    for (int fd = 0; fd < 3; fd++) {
        char path[64], target[64] = "";

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)program->pid, fd);
        assert_true(readlink(path, target, sizeof(target) - 1) > 0);
        assert_int_equal(strcmp(target, "/dev/null") == 0, closed >> fd & 1);
    }
}

/* Of those that wait for the peer. With their output closed, ping and bench have ended by then. */
static void descriptors(void **state)
{
    static const char *const commands[][MAX_ARGUMENTS] = {
        {"wait", "link.0"}, {"cat", "link.0"},   {"send", "link.0"},
        {"recv", "link.0"}, {"echo", "link.0"},  {"bench", "--serve", "link.0"},
        {"ping", "link.0"}, {"bench", "link.0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        for (unsigned int closed = 0; closed < NUM_COMBINATIONS; closed++) {
            struct program program;

            if (i >= 6 && closed & CLOSED_OUTPUT)
                continue;
            program = start_words(closed, "", commands[i]);
            await_owner("link.0");
            assert_nothing_else_there(&program, closed);
            dismiss(&program);
        }
    }
}

/* --- outputs that cannot be written --- */

/* The output, a file, is as large as files may be. */
static void limited_output(void **state)
{
    static const char sentence[] = "cannot write to standard output: the file would exceed the limit for this process";

    (void)state;
    for (size_t i = 0; i < NUM_TRIALS; i++) {
        const struct trial *trial = &trials[i];
        char script[256] = "head -c 512 /dev/zero && ulimit -f 1 && exec \"$0\" \"$@\"";
        const char *all[MAX_ARGUMENTS] = {"sh", "-c", script, pair_tool};
        struct program peer = {0}, program;

        if (!trial->output || strcmp(trial->arguments[0], "pair") == 0) /* pair's memory is a file, too */
            continue;
        memcpy(all + 4, trial->arguments, (MAX_ARGUMENTS - 4) * sizeof(all[0]));
        if (trial->peer[0])
            peer = start_words(0, "from 1", trial->peer);
        program = start_with(make_file("from 0", 6), all);
        finish(&program);
        if (program.status != 2 || !strstr(program.errors, sentence))
            fail_msg("%s: status %d, errors \"%s\"", trial->arguments[0], program.status, program.errors);
        assert_int_equal(program.length, 512);
        forget(&program);
        if (peer.pid)
            dismiss(&peer);
    }
}

static void full_disk(void **state)
{
    static const char *const commands[] = {"ls", "--help", "cat --help", "read link.0", "read --hex link.0", "version"};

    (void)state;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        char script[256];
        struct program shell;

        snprintf(script, sizeof(script), "exec \"$0\" %s >/dev/full", commands[i]);
        shell = start_with(make_file("", 0), (const char *const[MAX_ARGUMENTS]){"sh", "-c", script, pair_tool});
        expect(&shell, 2, "", "cannot write to standard output: no space is left there; free some");
    }
}

/* --- the folder --- */

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static char folder[] = "/tmp/crossvm-test-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    write_file("kernel", "");
    write_file("t.yaml", "vms:\n  - {name: a, kernel: kernel}\n");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)(unlink("other.0.lock") | unlink("other.1.lock"));
    return unlink("kernel") | unlink("t.yaml") | chdir("/") | rmdir(folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(behaviour),
        pair_case(descriptors),
        pair_case(limited_output),
        pair_case(full_disk),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_closed_streams TOOL\n");
        return 2;
    }
    pair_tool = realpath(argv[1], NULL);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
