/* SPDX-License-Identifier: BSD-2-Clause */
/* The command cat, as a user meets it. The tool's path is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pair_fixture.h"
#include "program.h"

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
    static const char script[] = "dir=$(mktemp -d); trap 'rm -rf $dir' EXIT; mkfifo $dir/f; "
                                 "{ \"$0\" cat link.1 <$dir/f | sort >$dir/f; } & "
                                 "printf 'b\\na\\n' | \"$0\" cat link.0 && wait";
    struct program shell = start_program(0, -1, (const char *const[MAX_ARGUMENTS]){"sh", "-c", script, pair_tool});

    (void)state;
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
    static const char script[] =
        "set -e; dir=$(mktemp -d); trap 'rm -rf $dir' EXIT; mkdir -p $dir/from/a/b $dir/to; "
        "seq 100000 >$dir/from/a/numbers; ln -s numbers $dir/from/a/link; head -c 300000 /dev/urandom "
        ">$dir/from/a/b/x; "
        "\"$0\" cat link.0 </dev/null | tar -C $dir/to -x & tar -C $dir/from -c . | \"$0\" cat link.1; wait $!; "
        "diff -r $dir/from $dir/to && readlink $dir/to/a/link";
    struct program shell = start_program(0, -1, (const char *const[MAX_ARGUMENTS]){"sh", "-c", script, pair_tool});

    (void)state;
    expect(&shell, 0, "numbers\n", "");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        pair_case(both_ways),
        pair_case(half_close),
        pair_case(a_filter_meets_the_end),
        pair_case(one_direction),
        pair_case(directions_are_independent),
        pair_case(cat_alone),
        pair_case(keep_open),
        pair_case(tar_a_tree),
    };

    if (argc != 2) {
        fprintf(stderr, "usage: test_cat TOOL\n");
        return 2;
    }
    pair_tool = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
