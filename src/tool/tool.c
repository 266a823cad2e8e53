/* SPDX-License-Identifier: BSD-2-Clause */
#include "tool.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tool_error(const char *format, ...)
{
    va_list arguments;

    fflush(stdout); /* keeps what was said before in front, on a terminal or in a file for both */
    fputs("crossvm: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

char *tool_help_filter(int key, const char *text, void *input)
{
    (void)input;
    return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)text;
}

void tool_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    error_t error = argp_parse(argp, argc, argv, 0, NULL, input);

    if (error) {
        tool_error("cannot parse the command line: %s", strerror(error));
        exit(TOOL_ERROR);
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
    static const char suffixes[] = "KMG";
    const char *suffix;
    uint64_t number;
    char *rest;

    errno = 0;
    number = strtoull(text, &rest, 0);
    if (errno || rest == text || strchr(text, '-'))
        argp_error(state, "%s: \"%s\" is not a whole number", what, text);
    suffix = *rest ? strchr(suffixes, *rest) : NULL;
    if (suffix) {
        unsigned int shift = 10 * (unsigned int)(suffix - suffixes + 1);

        if (number > UINT64_MAX >> shift)
            argp_error(state, "%s: \"%s\" is too large", what, text);
        number <<= shift;
        rest++;
    }
    if (*rest)
        argp_error(state, "%s: \"%s\" is not a whole number; a suffix is K, M or G", what, text);
    return number;
}

crossvm_t *tool_open(const char *name)
{
    crossvm_t *end;

    if (crossvm_open(&end, name) == 0)
        return end;
    tool_error("%s", crossvm_strerror());
    return NULL;
}

const char *tool_size(char buffer[32], uint64_t bytes)
{
    static const char suffixes[] = "KMG";
    int i = -1;

    while (i < 2 && bytes && bytes % 1024 == 0) {
        bytes /= 1024;
        i++;
    }
    if (i < 0)
        snprintf(buffer, 32, "%" PRIu64, bytes);
    else
        snprintf(buffer, 32, "%" PRIu64 "%c", bytes, suffixes[i]);
    return buffer;
}
