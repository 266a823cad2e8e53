/* SPDX-License-Identifier: BSD-2-Clause */
#include "message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void message(const char *format, ...)
{
    va_list arguments;

    fflush(stdout); /* keeps earlier output in front, where both streams go to one terminal or file */
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

const char *error_reason(int error)
{
    switch (error) {
    case EDQUOT:
    case ENOSPC:
        return "no space is left there; free some";
    case EFBIG:
        return "the file would exceed the limit for this process; raise it with `ulimit -f`";
    case EMFILE:
        return "this process has as many descriptors as it may; raise the limit with `ulimit -n`";
    case ENFILE:
        return "the system has as many open files as it may; raise the sysctl fs.file-max";
    case ENOMEM:
        return "the system has too little memory left; free some, or ask for less";
    default:
        return strerror(error);
    }
}
