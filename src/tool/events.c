/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands emit and wait. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "ends.h"
#include "timeout.h"

struct request {
    const char *name;
    uint64_t count;
    double seconds; /* negative: without end */
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case 'n':
        request->count = command_line_number(state, "--count", argument, 1, UINT64_MAX);
        return 0;
    case 't':
        request->seconds = command_line_seconds(state, "--timeout", argument);
        return 0;
    default:
        return command_line_take_name(key, argument, state, &request->name);
    }
}

/* --- emit --- */

static const struct argp emit_argp = {
    .options =
        (const struct argp_option[]){
            {"count", 'n', "COUNT", 0, "send this many (default 1)", 0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Sends events to the other end of a connection.",
};

int cmd_emit(int argc, char **argv)
{
    struct request request = {.count = 1};
    int error = 0;
    crossvm_end_t *end;

    command_line_parse(&emit_argp, 0, argc, argv, &request);
    end = end_open(request.name);
    if (!end)
        return STATUS_ERROR;
    for (uint64_t i = 0; i < request.count && !error; i++)
        error = crossvm_emit(end);
    if (error)
        message("%s", crossvm_strerror());
    crossvm_close(end);
    return error ? STATUS_ERROR : STATUS_OK;
}

/* --- wait --- */

static const struct argp wait_argp = {
    .options =
        (const struct argp_option[]){
            {"count", 'n', "COUNT", 0, "wait until this many have come (default 1)", 0},
            {"timeout", 't', "SECONDS", 0, "wait no longer than this; 0 only looks", 0},
            {0},
        },
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Waits for events of the other end of a connection and prints how many came: perhaps more than COUNT.\v"
           "Exit status: 0 when all have come, 1 when the timeout passed first, 2 for an error.",
};

/* Waits for the events, or until the timeout has passed. Returns how many came, or -1 after a message. */
static int64_t count_events(crossvm_end_t *end, const struct request *request)
{
    const crossvm_deadline_t deadline = deadline_after(request->seconds);
    uint64_t events = 0;

    /* A wait may return early without events: only the clock tells that the timeout has passed. */
    for (;;) {
        bool last = deadline_has_passed(deadline);
        int fresh = crossvm_wait(end, deadline);

        if (fresh < 0 && fresh != -EINTR) {
            message("%s", crossvm_strerror());
            return -1;
        }
        if (fresh > 0)
            events += (uint64_t)fresh;
        if (events >= request->count || (fresh <= 0 && last))
            return (int64_t)events;
    }
}

int cmd_wait(int argc, char **argv)
{
    struct request request = {.count = 1, .seconds = -1};
    crossvm_end_t *end;
    int64_t events;

    command_line_parse(&wait_argp, 0, argc, argv, &request);
    end = end_open(request.name);
    if (!end)
        return STATUS_ERROR;
    events = count_events(end, &request);
    crossvm_close(end);
    if (events < 0)
        return STATUS_ERROR;
    printf("%" PRId64 "\n", events);
    return (uint64_t)events >= request.count ? STATUS_OK : STATUS_TIMEOUT;
}
