/* SPDX-License-Identifier: BSD-2-Clause */
/* Command top: what goes through the connections of this machine, without a word to their ends. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../common/clock.h"
#include "../common/standard_streams.h"
#include "../hub/confinement.h"
#include "../top/report.h"
#include "command.h"
#include "confine.h"
#include "serve.h"

#define DEFAULT_COLUMNS 80

/* For as long as a hub may let a VM take to tell of its exits. */
#define EXITS_PATIENCE_MS 500

/* --- command line --- */

enum { OPTION_PROMETHEUS = 256, OPTION_NO_SANDBOX };

enum form { FORM_TABLE, FORM_JSON, FORM_PROMETHEUS };

struct request {
    const char *pattern;
    double seconds;
    bool once;
    enum form form;
    const char *file; /* of FORM_PROMETHEUS; NULL: standard output */
    enum rate_order order;
    bool no_sandbox;
};

static enum rate_order parse_order(struct argp_state *state, const char *word)
{
    for (size_t i = 0; rate_order_words[i]; i++) {
        if (strcmp(rate_order_words[i], word) == 0)
            return (enum rate_order)i;
    }
    command_line_error(state, "--sort: \"%s\" is none of bytes, messages, waits, emits, exits and name", word);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case '1':
        request->once = true;
        return 0;
    case 'i':
        request->seconds = command_line_seconds(state, "--interval", argument);
        if (request->seconds < CHANNEL_WATCH_MS / 1e3)
            command_line_error(state, "--interval: %s seconds are too short; give at least 0.1", argument);
        return 0;
    case 'j':
        request->form = FORM_JSON;
        return 0;
    case 's':
        request->order = parse_order(state, argument);
        return 0;
    case OPTION_PROMETHEUS:
        request->form = FORM_PROMETHEUS;
        request->file = strcmp(argument, "-") == 0 ? NULL : argument;
        return 0;
    case OPTION_NO_SANDBOX:
        request->no_sandbox = true;
        return 0;
    case ARGP_KEY_ARG:
        if (request->pattern)
            command_line_error(state, "one PATTERN is enough; what is \"%s\" for?", argument);
        request->pattern = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options =
        (const struct argp_option[]){
            {"once", '1', NULL, 0, "report once, after the first interval, and end", 0},
            {"interval", 'i', "SECONDS", 0, "from one report to the next (default 1)", 0},
            {"json", 'j', NULL, 0, "print each report as a JSON object, in a line", 0},
            {"prometheus", OPTION_PROMETHEUS, "FILE", 0,
             "write each report in Prometheus' text format to FILE, which is replaced as a whole; - is standard output",
             0},
            {"sort", 's', "ORDER", 0, "bytes (default), messages, waits, emits or exits: the busiest first; or name",
             0},
            COMMAND_LINE_NO_SANDBOX(OPTION_NO_SANDBOX, 0),
            {0},
        },
    .parser = parse,
    .args_doc = "[PATTERN]",
    .doc =
        "Shows what goes through the connections of this machine, a line for each direction of a channel. PATTERN "
        "chooses connections by name, as in a shell. Ends are not disturbed, and do not notice.\v"
        "CH is the number of the dataport, and s for a stream or d for datagrams. FROM is the end that sends. FILL is "
        "how full its ring is. WAITS are sleeps for data and for space. EXITS are those of the VM to the kernel with "
        "crossvm-vm, and accesses that reach the hub over vfio-user. ~ is an estimate. Ends on SIGINT, SIGTERM or "
        "SIGHUP.",
};

/* --- reports --- */

/* How much room a table has. */
static struct report_space find_space(void)
{
    struct report_space space = {.columns = DEFAULT_COLUMNS, .in_place = isatty(STDOUT_FILENO) == 1};
    const char *columns = getenv("COLUMNS");
    struct winsize size;

    if (space.in_place && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= DEFAULT_COLUMNS) {
        space.columns = size.ws_col;
        space.lines = size.ws_row;
    } else if (!space.in_place && columns && atoi(columns) > DEFAULT_COLUMNS) {
        space.columns = atoi(columns);
    }
    return space;
}

/* Whoever reads the file finds the old report or the new one. 0, or -1 after a message. */
static int replace_file(const char *file, const struct rates *rates, bool running)
{
    char next[PATH_MAX];
    FILE *stream = NULL;
    int error = 0;

    if (snprintf(next, sizeof(next), "%s.new", file) >= (int)sizeof(next))
        errno = ENAMETOOLONG;
    else
        stream = fopen(next, "we");
    if (!stream) {
        message("cannot write %s.new: %s", file, error_reason(errno));
        return -1;
    }
    error |= report_prometheus(stream, rates, running);
    error |= ferror(stream) | fflush(stream);
    error |= fclose(stream);
    if (!error)
        error = rename(next, file);
    if (error) {
        message("cannot write %s: %s", file, error_reason(errno));
        (void)unlink(next);
        return -1;
    }
    return 0;
}

/* 0, or -1 after a message. */
static int print_report(const struct request *request, const struct rates *rates)
{
    struct report_space space;
    int error;

    if (request->file)
        return replace_file(request->file, rates, !request->once);
    switch (request->form) {
    case FORM_JSON:
        error = report_json(stdout, rates);
        break;
    case FORM_PROMETHEUS:
        error = report_prometheus(stdout, rates, !request->once);
        break;
    default:
        space = find_space();
        if (request->once)
            space.in_place = false;
        error = report_table(stdout, rates, &space);
        if (!request->once && !space.in_place)
            putchar('\n');
    }
    if (error)
        message("no memory for a report");
    return error || !standard_output_flush() ? -1 : 0;
}

static int report(const struct request *request, struct fleet *fleet)
{
    struct rates rates;
    int error;

    fleet_look(fleet, now_ns());
    fleet_count(fleet, now_ns());
    if (rates_make(&rates, fleet, request->order))
        return -1;
    error = print_report(request, &rates);
    rates_free(&rates);
    return error;
}

/* --- looking --- */

/* Looks, and hears hubs, until an instant. Returns whether a signal asked for the end. */
static bool look_until(struct fleet *fleet, int64_t instant_ms, int stop)
{
    for (;;) {
        int64_t now = now_ms(), next = earlier_ms(instant_ms, now + CHANNEL_WATCH_MS);
        struct pollfd end = {.fd = stop, .events = POLLIN};

        fleet_hear(fleet);
        fleet_look(fleet, now_ns());
        if (now >= instant_ms)
            return false;
        if (poll(&end, 1, poll_until_ms(next, now)) > 0)
            return true;
    }
}

/* Asks, and waits for those who have to ask VMs. Returns whether a signal asked for the end. */
static bool ask(struct fleet *fleet, int stop)
{
    int64_t patience = now_ms() + EXITS_PATIENCE_MS;

    fleet_ask(fleet);
    for (int64_t wait = 1; fleet_awaits_exits(fleet) && now_ms() < patience; wait = 2 * wait) {
        if (look_until(fleet, earlier_ms(now_ms() + wait, patience), stop))
            return true;
    }
    fleet_hear(fleet);
    return false;
}

/* Nothing to show is no error, but silence would look like one. */
static void say_none(const struct request *request)
{
    if (request->pattern)
        message("no connection that can be observed has a name like \"%s\"; `crossvm ls` lists those there are",
                request->pattern);
    else
        message("there are no connections to observe; `crossvm pair NAME` makes one without a VM");
}

static int watch(const struct request *request, struct fleet *fleet, int stop)
{
    const int64_t interval = (int64_t)(request->seconds * 1e3);
    int64_t next = now_ms();

    if (ask(fleet, stop))
        return STATUS_OK;
    fleet_look(fleet, now_ns());
    fleet_count(fleet, now_ns());
    if (fleet->num_connections + fleet->num_devices == 0)
        say_none(request);
    if (request->form == FORM_TABLE && !request->once && isatty(STDOUT_FILENO) == 1)
        fputs("\033[2J", stdout);
    do {
        next = next + interval > now_ms() ? next + interval : now_ms() + interval;
        if (look_until(fleet, next, stop) || ask(fleet, stop))
            return STATUS_OK;
        if (report(request, fleet) || fleet_scan(fleet))
            return STATUS_ERROR;
    } while (!request->once);
    return STATUS_OK;
}

/* Before anything else: a file that cannot be made. */
static bool can_make(const char *file)
{
    char folder[PATH_MAX];

    hub_folder_of(folder, file);
    if (access(folder, W_OK | X_OK) == 0)
        return true;
    message("cannot write %s: the folder %s: %s", file, folder, error_reason(errno));
    return false;
}

int cmd_top(int argc, char **argv)
{
    struct request request = {.seconds = 1};
    struct fleet fleet = {0};
    int stop, status = STATUS_ERROR;

    command_line_parse(&argp, 0, argc, argv, &request);
    fleet.pattern = request.pattern;
    if (request.file && !can_make(request.file))
        return STATUS_ERROR;
    stop = serve_catch_signals();
    if (stop < 0)
        return STATUS_ERROR;
    if ((request.no_sandbox || confine_observer(request.file) == 0) && fleet_scan(&fleet) == 0)
        status = watch(&request, &fleet, stop);
    fleet_free(&fleet);
    close(stop);
    return status;
}
