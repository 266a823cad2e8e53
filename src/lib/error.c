/* SPDX-License-Identifier: BSD-2-Clause */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

#include "api.h"

/* Long enough for two paths and a remedy; what is longer is cut. */
static _Thread_local char sentence[512] = "no error";

int cvm_fail(int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    return -error;
}

const char *crossvm_strerror(void)
{
    return sentence;
}
