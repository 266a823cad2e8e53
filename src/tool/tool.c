/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *tool_help_filter(int key, const char *text, void *input)
{
    (void)input;
    return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)text;
}

void tool_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    error_t error = argp_parse(argp, argc, argv, 0, NULL, input);

    if (error) {
        message("cannot parse the command line: %s", strerror(error));
        exit(STATUS_ERROR);
    }
}

void tool_take_name(struct argp_state *state, const char **name, char *argument)
{
    if (*name)
        argp_error(state, "one NAME is enough; what is \"%s\" for?", argument);
    *name = argument;
}

uint64_t tool_parse_number(struct argp_state *state, const char *what, const char *text)
{
    uint64_t number = 0;

    if (!number_parse(text, NULL, &number))
        argp_error(state, "%s: \"%s\" is not a whole number", what, text);
    return number;
}

uint64_t tool_parse_size(struct argp_state *state, const char *what, const char *text)
{
    uint64_t bytes = 0;

    if (!size_parse(text, NULL, &bytes))
        argp_error(state, "%s: \"%s\" is no size; give bytes, or a number with K, M or G, such as 64K", what, text);
    return bytes;
}

crossvm_end_t *tool_open(const char *name)
{
    crossvm_end_t *end;

    if (crossvm_open(&end, name) == 0)
        return end;
    message("%s", crossvm_strerror());
    return NULL;
}
