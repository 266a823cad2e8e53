/* SPDX-License-Identifier: BSD-2-Clause */
/* Command pair: a connection between two programs, without a VM. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../common/dataport_spec.h"
#include "../common/descriptor_limit.h"
#include "../common/end_signals.h"
#include "../common/name.h"
#include "../common/standard_streams.h"
#include "../pair/pair.h"
#include "../wire/socket_directory.h"
#include "command.h"

#define DEFAULT_SIZE 0x10000

static void add_dataport(struct argp_state *state, struct pair_options *options, const char *text)
{
    static const char *const ends[] = {"0", "1"};
    char reason[128];

    if (options->num_dataports == CROSSVM_MAX_DATAPORTS)
        command_line_error(state, "--dataport: at most %d", CROSSVM_MAX_DATAPORTS);
    if (!dataport_spec_parse(text, ends, &options->dataports[options->num_dataports++], reason))
        command_line_error(state, "--dataport: \"%s\" %s", text, reason);
}

static bool is_name(const char *name)
{
    return name_is_valid(name) && strlen(name) + strlen(".0") < CROSSVM_FULL_NAME_BYTES;
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
        if (!is_name(argument))
            command_line_error(state, "\"%s\" is no name: it has 1 to %d of the characters A-Z a-z 0-9 . _ -", argument,
                               CROSSVM_FULL_NAME_BYTES - 3);
        return command_line_take_name(key, argument, state, &options->name);
    default:
        return command_line_take_name(key, argument, state, &options->name);
    }
}

static const struct argp_option options[] = {
    {"dataport", 'p', "SIZE[:WRITER]", 0,
     "a dataport of SIZE bytes, or with K, M or G; WRITER is the end that alone may write, 0 or 1, or both (default). "
     "At most 4; without this option there is one of 64K",
     0},
    {"socket-dir", 'd', "DIR", 0,
     "where programs find the ends (default $CROSSVM_DIR, /run/crossvm or $XDG_RUNTIME_DIR/crossvm)", 0},
    {0},
};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "NAME",
    .doc = "Offers a connection between two programs of this machine, for development and tests: they open its ends "
           "NAME.0 and NAME.1 as they would open those of a VM.\v"
           "Prints the names of the ends when they can be opened. Ends on SIGINT, SIGTERM or SIGHUP.",
};

/* A descriptor that polls readable when a signal says to end; -1 after a message. */
static int catch_signals(void)
{
    sigset_t signals;
    int fd;

    end_signals(&signals);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) || (fd = signalfd(-1, &signals, SFD_CLOEXEC)) < 0) {
        message("cannot wait for signals: %s", error_reason(errno));
        return -1;
    }
    return fd;
}

int cmd_pair(int argc, char **argv)
{
    char dir[SOCKET_DIRECTORY_BYTES];
    struct pair_options chosen = {.dir = dir};
    int stop, status = STATUS_ERROR;
    struct pair *pair;

    cvm_socket_directory_for_server(dir);
    command_line_parse(&argp, 0, argc, argv, &chosen);
    descriptor_limit_raise();
    if (chosen.num_dataports == 0) {
        chosen.dataports[0] = (struct dataport_spec){.size = DEFAULT_SIZE, .writer = WRITER_BOTH};
        chosen.num_dataports = 1;
    }
    stop = catch_signals();
    if (stop < 0)
        return STATUS_ERROR;
    pair = pair_create(&chosen);
    if (pair) {
        printf("%s.0 %s.1\n", chosen.name, chosen.name);
        status = standard_output_flush() && pair_serve(pair, stop) == 0 ? STATUS_OK : STATUS_ERROR;
    }
    pair_destroy(pair);
    close(stop);
    return status;
}
