/* SPDX-License-Identifier: BSD-2-Clause */
/* Command pair: a connection between two programs, without a VM. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../host/end_signals.h"
#include "../host/wire.h"
#include "../tool/tool.h"
#include "pair.h"

#define DEFAULT_SIZE 0x10000

static void add_dataport(struct argp_state *state, struct pair_options *options, char *text)
{
    char *writer = strchr(text, ':');
    size_t i = options->num_dataports;

    if (i == CROSSVM_MAX_DATAPORTS)
        argp_error(state, "--dataport: at most %d", CROSSVM_MAX_DATAPORTS);
    options->dataports[i].writer = -1;
    if (writer) {
        if (strcmp(writer, ":0") != 0 && strcmp(writer, ":1") != 0 && strcmp(writer, ":both") != 0)
            argp_error(state, "--dataport: the writer is 0, 1 or both, not \"%s\"", writer + 1);
        options->dataports[i].writer = writer[1] == 'b' ? -1 : writer[1] - '0';
        *writer = '\0';
    }
    options->dataports[i].size = tool_parse_number(state, "--dataport", text);
    if (options->dataports[i].size == 0 || options->dataports[i].size % CROSSVM_PAGE_SIZE)
        argp_error(state, "--dataport: \"%s\" is no multiple of 4K", text);
    options->num_dataports++;
}

static bool is_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(name);

    return length > 0 && length + strlen(".0") < CROSSVM_FULL_NAME_BYTES && strspn(name, allowed) == length;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct pair_options *options = state->input;

    switch (key) {
    case 'd':
        options->dir = argument;
        return 0;
    case 'p':
        add_dataport(state, options, argument);
        return 0;
    case ARGP_KEY_ARG:
        tool_take_name(state, &options->name, argument);
        if (!is_name(argument))
            argp_error(state, "\"%s\" is no name: it has 1 to %d of the characters A-Z a-z 0-9 . _ -", argument,
                       CROSSVM_FULL_NAME_BYTES - 3);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "the NAME of the connection is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"dataport", 'p', "SIZE[:WRITER]", 0,
     "a dataport of that size, with K, M or G; WRITER is the end that alone may write, 0 or 1, or both (default). Up "
     "to "
     "4; without one, there is one of 64K",
     0},
    {"socket-dir", 'd', "DIR", 0, "where programs find the ends (default $CROSSVM_DIR or /run/crossvm)", 0},
    {0},
};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Offers a connection between two programs of this machine, for development and tests: they open its ends "
           "NAME.0 and NAME.1 as they would open those of a VM.\v"
           "Prints the names of the ends when they can be opened. Ends on SIGINT, SIGTERM or SIGHUP.",
    .help_filter = tool_help_filter,
};

/* A descriptor that polls readable when a signal says to end; -1 after a message. */
static int catch_signals(void)
{
    sigset_t signals;
    int fd;

    end_signals(&signals);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) || (fd = signalfd(-1, &signals, SFD_CLOEXEC)) < 0) {
        tool_error("cannot wait for signals: %s", strerror(errno));
        return -1;
    }
    return fd;
}

int cmd_pair(int argc, char **argv)
{
    const char *dir = secure_getenv("CROSSVM_DIR");
    struct pair_options chosen = {.dir = dir && dir[0] ? dir : CROSSVM_DEFAULT_DIRECTORY};
    int stop, status = TOOL_ERROR;
    struct pair *pair;

    tool_parse(&argp, argc, argv, &chosen);
    if (chosen.num_dataports == 0) {
        chosen.dataports[0].size = DEFAULT_SIZE;
        chosen.dataports[0].writer = -1;
        chosen.num_dataports = 1;
    }
    stop = catch_signals();
    if (stop < 0)
        return TOOL_ERROR;
    pair = pair_create(&chosen);
    if (pair) {
        printf("%s.0 %s.1\n", chosen.name, chosen.name);
        fflush(stdout);
        status = pair_serve(pair, stop) ? TOOL_ERROR : TOOL_OK;
    }
    pair_destroy(pair);
    close(stop);
    return status;
}
