/* SPDX-License-Identifier: BSD-2-Clause */
#include "command_line.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <crossvm/version.h>

#include "completion.h"
#include "message.h"
#include "size.h"

#define MAX_SECONDS 1e9      /* 30 years: an instant so far away fits in nanoseconds */
#define OPTION_USAGE 0x10000 /* beyond those of all commands */

static const struct argp_option common_options[] = {
    {"help", 'h', NULL, 0, "print this help", -1},
    {"help", '?', NULL, OPTION_HIDDEN, NULL, -1},
    {"usage", OPTION_USAGE, NULL, OPTION_HIDDEN, NULL, -1},
    {"version", 'V', NULL, 0, "print the release", -1},
    {0},
};

void print_release(void)
{
    printf("%s " CROSSVM_VERSION_STRING "\n", program_invocation_short_name);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = state->input;
        return 0;
    case 'h':
    case '?':
        argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
        return 0;
    case OPTION_USAGE:
        argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
        return 0;
    case 'V':
        print_release();
        exit(0);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Leaves out a note that helps nobody. */
static char *filter_help(int key, const char *text, void *input)
{
    (void)input;
    return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)text;
}

void command_line_parse(const struct argp *argp, unsigned int flags, int argc, char **argv, void *input)
{
    const struct argp_child child[] = {{argp, 0, NULL, 0}, {0}};
    const struct argp all = {.options = common_options, .parser = parse, .children = child, .help_filter = filter_help};
    char *slash = strrchr(argv[0], '/');
    error_t error;

    if (argc > 1 && strcmp(argv[1], COMPLETION_OPTION) == 0) {
        completion_print(&all, argc - 2, argv + 2);
        exit(0);
    }
    if (slash)
        argv[0] = slash + 1; /* messages begin with the program's name, not its path */
    error = argp_parse(&all, argc, argv, flags | ARGP_NO_HELP, NULL, input);
    if (error) {
        message("cannot parse the command line: %s", strerror(error));
        exit(argp_err_exit_status);
    }
}

void command_line_error(struct argp_state *state, const char *format, ...)
{
    char sentence[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    argp_error(state, "%s", sentence);
    exit(argp_err_exit_status);
}

uint64_t command_line_number(struct argp_state *state, const char *what, const char *text, uint64_t min, uint64_t max)
{
    uint64_t number = 0;

    if (number_parse(text, NULL, &number) && number >= min && number <= max)
        return number;
    if (max == UINT64_MAX)
        command_line_error(state, "%s: \"%s\" is not a whole number from %" PRIu64 " on", what, text, min);
    command_line_error(state, "%s: \"%s\" is not a whole number from %" PRIu64 " to %" PRIu64, what, text, min, max);
}

uint64_t command_line_size(struct argp_state *state, const char *what, const char *text, uint64_t min)
{
    uint64_t bytes = 0;

    if (!size_parse(text, NULL, &bytes))
        command_line_error(state, "%s: \"%s\" is not a size; give bytes, or a number with K, M or G, such as 64K", what,
                           text);
    if (bytes < min)
        command_line_error(state, "%s: \"%s\" is too small; give at least %" PRIu64, what, text, min);
    return bytes;
}

double command_line_seconds(struct argp_state *state, const char *what, const char *text)
{
    char *rest;
    double seconds = strtod(text, &rest);

    if (rest == text || *rest || !isfinite(seconds) || seconds < 0)
        command_line_error(state, "%s: \"%s\" is not a number of seconds", what, text);
    return seconds < MAX_SECONDS ? seconds : MAX_SECONDS;
}

static error_t take_one(int key, char *argument, struct argp_state *state, const char **taken, const char *word,
                        const char *what)
{
    switch (key) {
    case ARGP_KEY_ARG:
        if (*taken)
            command_line_error(state, "one %s is enough; what is \"%s\" for?", word, argument);
        *taken = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        command_line_error(state, "the %s %s is missing", word, what);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

error_t command_line_take_name(int key, char *argument, struct argp_state *state, const char **name)
{
    return take_one(key, argument, state, name, "NAME", "of a connection");
}

error_t command_line_take_file(int key, char *argument, struct argp_state *state, const char **file)
{
    return take_one(key, argument, state, file, "FILE", "with a topology");
}
