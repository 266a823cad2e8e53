/* SPDX-License-Identifier: BSD-2-Clause */
/* The tool `crossvm`: looks at connections and uses them from a shell. */
#include "tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *summary;
    tool_command *run;
} commands[] = {
    {"ls", "list the connections of this machine", cmd_ls},
    {"info", "tell all about one connection", cmd_info},
    {"emit", "send events to the other end", cmd_emit},
    {"wait", "wait for events of the other end", cmd_wait},
    {"read", "copy a dataport to standard output", cmd_read},
    {"write", "copy standard input or a string to a dataport", cmd_write},
    {"cat", "join a stream to standard input and output", cmd_cat},
    {"send", "send datagrams", cmd_send},
    {"recv", "receive datagrams", cmd_recv},
    {"ping", "measure round trips to `crossvm echo`", cmd_ping},
    {"echo", "send back what comes", cmd_echo},
    {"bench", "measure latency and throughput", cmd_bench},
    {"pair", "offer a connection between two programs, without a VM", cmd_pair},
    {"run", "start the VMs of a topology and join their connections", cmd_run},
};

#define NUM_COMMANDS (sizeof(commands) / sizeof(commands[0]))

const char *argp_program_version = "crossvm " CROSSVM_RELEASE;

/* The part of --help behind the options: made from the table, so that no command is forgotten. */
static char *help_filter(int key, const char *text, void *input)
{
    char *help = NULL;
    size_t size;
    FILE *stream;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    stream = open_memstream(&help, &size);
    if (!stream)
        return NULL;
    fputs("Commands:\n", stream);
    for (size_t i = 0; i < NUM_COMMANDS; i++)
        fprintf(stream, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fputs("\nNAME is a connection's name as `crossvm ls` shows it, or the path of its device or socket.\n"
          "Sockets are looked for in $CROSSVM_DIR, by default /run/crossvm.\n"
          "`crossvm COMMAND --help` explains a command.\n",
          stream);
    return fclose(stream) ? NULL : help;
}

struct request {
    int command; /* index of COMMAND in argv */
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    (void)argument;
    switch (key) {
    case ARGP_KEY_ARG:
        request->command = state->next - 1;
        state->next = state->argc; /* the rest is the command's */
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .parser = parse,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc = "Looks at cross-VM connections and uses them, in a guest and on the host.\v",
    .help_filter = help_filter,
};

static int run(int argc, char **argv)
{
    static char name[32];

    for (size_t i = 0; i < NUM_COMMANDS; i++) {
        if (strcmp(argv[0], commands[i].name) == 0) {
            snprintf(name, sizeof(name), "crossvm %s", commands[i].name);
            argv[0] = name; /* how its usage and its usage errors call it */
            return commands[i].run(argc, argv);
        }
    }
    message("there is no command \"%s\"; `crossvm --help` lists the commands", argv[0]);
    return STATUS_ERROR;
}

int main(int argc, char **argv)
{
    struct request request = {0};
    int status;
    error_t error;

    argp_err_exit_status = STATUS_ERROR;
    error = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &request);
    if (error) {
        message("cannot parse the command line: %s", strerror(error));
        return STATUS_ERROR;
    }
    status = run(argc - request.command, argv + request.command);

    /* A full disk shows only here. */
    if (fflush(stdout) || ferror(stdout)) {
        message("cannot write to standard output: %s", strerror(errno));
        return STATUS_ERROR;
    }
    return status;
}
