/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands emit and wait. */
#include "tool.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct request {
    const char *name;
    uint64_t count;
    double seconds; /* negative: without end */
};

static double parse_seconds(struct argp_state *state, const char *text)
{
    char *rest;
    double seconds = strtod(text, &rest);

    if (rest == text || *rest || !isfinite(seconds) || seconds < 0)
        argp_error(state, "--timeout: \"%s\" is not a number of seconds", text);
    return seconds;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case 'n':
        request->count = tool_parse_number(state, "--count", argument);
        if (request->count == 0)
            argp_error(state, "--count: at least 1");
        return 0;
    case 't':
        request->seconds = parse_seconds(state, argument);
        return 0;
    case ARGP_KEY_ARG:
        tool_take_name(state, &request->name, argument);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "the NAME of a connection is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp emit_argp = {
    .options =
        (const struct argp_option[]){
            {"count", 'n', "COUNT", 0, "send this many (default 1)", 0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Sends events to the other end of a connection.",
    .help_filter = tool_help_filter,
};

int cmd_emit(int argc, char **argv)
{
    struct request request = {.count = 1};
    int error = 0;
    crossvm_end_t *end;

    tool_parse(&emit_argp, argc, argv, &request);
    end = tool_open(request.name);
    if (!end)
        return STATUS_ERROR;
    for (uint64_t i = 0; i < request.count && !error; i++)
        error = crossvm_emit(end);
    if (error)
        message("%s", crossvm_strerror());
    crossvm_close(end);
    return error ? STATUS_ERROR : STATUS_OK;
}

static const struct argp wait_argp = {
    .options =
        (const struct argp_option[]){
            {"count", 'n', "COUNT", 0, "wait until so many have come (default 1)", 0},
            {"timeout", 't', "SECONDS", 0, "wait no longer than this; 0 only looks", 0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Waits for events of the other end of a connection and prints how many came, which may be more than asked "
           "for.\v"
           "Exit status: 0 when all have come, 1 when the time was over before, 2 for an error.",
    .help_filter = tool_help_filter,
};

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* What remains until a time, as a timeout of crossvm_wait(). */
static int remaining_ms(double until)
{
    double left = ceil((until - now()) * 1e3);

    if (left > INT_MAX)
        return INT_MAX;
    return left > 0 ? (int)left : 0;
}

/* Waits for so many events or for the end of the time. Gives how many came, or -1 after saying what went wrong. */
static int64_t count_events(crossvm_end_t *end, const struct request *request)
{
    bool endless = request->seconds < 0;
    double until = endless ? 0 : now() + request->seconds;
    uint64_t events = 0;

    for (;;) {
        int timeout_ms = endless ? -1 : remaining_ms(until);
        int fresh = crossvm_wait(end, crossvm_deadline_after_ms(timeout_ms));

        if (fresh < 0 && fresh != -EINTR) {
            message("%s", crossvm_strerror());
            return -1;
        }
        if (fresh > 0)
            events += (uint64_t)fresh;
        /* A wait may return early without events, so only one that was to look only ends the time. */
        if (events >= request->count || (fresh == 0 && timeout_ms == 0))
            return (int64_t)events;
    }
}

int cmd_wait(int argc, char **argv)
{
    struct request request = {.count = 1, .seconds = -1};
    crossvm_end_t *end;
    int64_t events;

    tool_parse(&wait_argp, argc, argv, &request);
    end = tool_open(request.name);
    if (!end)
        return STATUS_ERROR;
    events = count_events(end, &request);
    crossvm_close(end);
    if (events < 0)
        return STATUS_ERROR;
    printf("%" PRId64 "\n", events);
    return (uint64_t)events >= request.count ? STATUS_OK : STATUS_TIMEOUT;
}
