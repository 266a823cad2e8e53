/* SPDX-License-Identifier: BSD-2-Clause */
/* What a VM prints, as it is passed on: in lines with its name, without what controls a terminal; and how it ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../../src/run/vm_process.h"
#include "../../src/wire/wire.h"

static struct output output;

/* What is shown of a text; all of it is in the output, whose room is larger. */
static const char *shown(const char *text, size_t n)
{
    struct lines lines = {.output = &output, .prefix = "a| "};

    memset(&output, 0, sizeof(output));
    output.fd = -1;
    lines_put(&lines, text, n);
    lines_end(&lines);
    return output.bytes; /* the rest of which is zeros */
}

#define SHOWN(text) shown(text, sizeof(text) - 1)

static void what_controls_a_terminal_is_left_out(void **state)
{
    (void)state;
    assert_string_equal(SHOWN("plain\ttext\n"), "a| plain\ttext\n");
    assert_string_equal(SHOWN("\033[31mred\033[0m\n"), "a| red\n");
    assert_string_equal(SHOWN("\x9b"
                              "2Jempty\n"),
                        "a| empty\n");
    assert_string_equal(SHOWN("\xc2\x9b"
                              "2Jempty\n"),
                        "a| empty\n"); /* the same, as a character */
    assert_string_equal(SHOWN("\033]0;title\007text\n"), "a| text\n");
    assert_string_equal(SHOWN("\033]0;title\x9ctext\n"), "a| text\n");
    assert_string_equal(SHOWN("\033]0;title\033\\text\n"), "a| text\n");
    assert_string_equal(SHOWN("\033(Btext\n"), "a| text\n");
    assert_string_equal(SHOWN("bell\007, back\b, return\r\n"), "a| bell, back, return\n");
    assert_string_equal(SHOWN("\177\n"), "a| \n");
    assert_string_equal(SHOWN("\033[31\nno longer than a line\n"), "a| \na| no longer than a line\n");
}

static void characters_pass_if_they_are_whole_and_short(void **state)
{
    static const char *const good[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa7", "\xed\x9f\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const wrong[] = {
        "\xc0\xaf",         "\xc1\xbf",         "\xe0\x80\xaf", "\xe0\x9f\xbf",
        "\xf0\x80\x80\xaf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", /* half of a pair */
        "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",         "\xe2\x82",
    };
    char text[16], expected[16];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s.\n", good[i]);
        (void)snprintf(expected, sizeof(expected), "a| %s.\n", good[i]);
        assert_string_equal(shown(text, strlen(text)), expected);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s.\n", wrong[i]);
        for (const char *c = shown(text, strlen(text)); *c; c++)
            assert_true((unsigned char)*c < 0x80);
    }
}

static void long_lines_are_cut(void **state)
{
    static char text[3 * LINE_BYTES + 10];
    const char *line;

    (void)state;
    memset(text, 'x', sizeof(text));
    line = shown(text, sizeof(text));
    for (int i = 0; i < 3; i++) {
        assert_memory_equal(line, "a| ", 3);
        assert_int_equal(strspn(line + 3, "x"), LINE_BYTES);
        assert_int_equal(line[3 + LINE_BYTES], '\n');
        line += 3 + LINE_BYTES + 1;
    }
    assert_string_equal(line, "a| xxxxxxxxxx\n");
}

/* --- the end of a VM --- */

/* A process that has printed a line without an end, and ended with that status. */
static void end_with(struct vm_process *process, int status)
{
    static const struct topology_vm vm = {.console = CONSOLE_STDIO};
    static struct output messages;
    int pair[2];

    memset(&output, 0, sizeof(output));
    assert_int_equal(pipe(pair), 0);
    assert_int_equal(write(pair[1], "last", 4), 4);
    close(pair[1]);
    *process = (struct vm_process){.vm = &vm, .console = pair[0], .messages = -1, .running = true};
    process->lines = (struct lines){.output = &output, .prefix = "a| "};
    process->message_lines = (struct lines){.output = &messages, .prefix = "a| "};
    vm_process_ended(process, status);
    assert_false(process->running);
    assert_true(vm_process_drain(process));
    assert_false(process->draining);
    assert_int_equal(process->console, -1);
    assert_string_equal(output.bytes, "a| last\n");
}

static void the_end_of_a_vm_is_told_in_words(void **state)
{
    static const struct {
        int status; /* as wait() gives it */
        bool failed, not_started;
        const char *how;
    } ends[] = {
        {0, false, false, "ended"},
        {3 << 8, true, false, "ended with status 3"},
        {CROSSVM_EXIT_CRASHED << 8, true, false, "crashed"},
        {CROSSVM_EXIT_RESET << 8, true, false, "asked for a reset"},
        {CROSSVM_EXIT_NOT_STARTED << 8, true, true, "could not start"},
        {VM_COMMAND_NOT_FOUND << 8, true, true, "could not start"},
        {SIGKILL, true, false, "was killed by signal 9"},
    };
    struct vm_process process;

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        end_with(&process, ends[i].status);
        assert_int_equal(process.failed, ends[i].failed);
        assert_int_equal(process.not_started, ends[i].not_started);
        assert_int_equal(process.has_run, !ends[i].not_started);
        assert_memory_equal(process.how, ends[i].how, strlen(ends[i].how));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_controls_a_terminal_is_left_out),
        cmocka_unit_test(characters_pass_if_they_are_whole_and_short),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(the_end_of_a_vm_is_told_in_words),
    };

    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
