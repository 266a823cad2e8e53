/* SPDX-License-Identifier: BSD-2-Clause */
#include "message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Room for two paths and what is said about them. A longer message is cut. */
#define LINE_BYTES 9000

void message(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;

    fflush(stdout); /* keeps earlier output in front, where both streams go to one terminal or file */
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    /* One call, so that lines of several threads stay whole. */
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, line);
}
