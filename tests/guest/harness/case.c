/* SPDX-License-Identifier: BSD-2-Clause */
#include "case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char *scenario = "none";
static int failed;
static jmp_buf *end_of_attempt;
static char reason[512];

void cases_start(const char *name)
{
    scenario = name;
}

int cases_failed(void)
{
    return failed;
}

int cases_end(void)
{
    (void)printf("scenario %s: %d failed\n", scenario, failed);
    (void)fflush(stdout);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    if (!end_of_attempt) {
        (void)fprintf(stderr, "%s\n", reason);
        exit(EXIT_FAILURE);
    }
    longjmp(*end_of_attempt, 1);
}

const char *attempt(void (*function)(void *), void *argument)
{
    jmp_buf *outer = end_of_attempt;
    const char *volatile wrong = reason;
    jmp_buf end;

    end_of_attempt = &end;
    if (setjmp(end) == 0) {
        function(argument);
        wrong = NULL;
    }
    end_of_attempt = outer;
    return wrong;
}

struct function {
    void (*call)(void);
};

static void call(void *function)
{
    ((struct function *)function)->call();
}

void run_case(const char *name, void (*function)(void))
{
    struct function wrapped = {function};
    const char *wrong = attempt(call, &wrapped);

    if (wrong) {
        (void)printf("case %s/%s: FAILED: %s\n", scenario, name, wrong);
        failed++;
    } else {
        (void)printf("case %s/%s: ok\n", scenario, name);
    }
    (void)fflush(stdout);
}

int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
