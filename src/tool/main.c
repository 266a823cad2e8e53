/* SPDX-License-Identifier: BSD-2-Clause */
/* The tool `crossvm`: looks at connections and uses them from a shell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/standard_streams.h"
#include "candidates.h"
#include "command.h"

static command_function cmd_help, cmd_version;

static const struct {
    const char *name;
    const char *summary;
    command_function *run;
} commands[] = {
    {"ls", "list the connections that this machine has an end of", cmd_ls},
    {"info", "print all that is known of one end", cmd_info},
    {"top", "show what goes through connections, live", cmd_top},
    {"emit", "send events", cmd_emit},
    {"wait", "wait for events", cmd_wait},
    {"read", "copy a dataport to standard output", cmd_read},
    {"write", "copy standard input or a string to a dataport", cmd_write},
    {"cat", "join a stream to standard input and output", cmd_cat},
    {"send", "send datagrams", cmd_send},
    {"recv", "receive datagrams", cmd_recv},
    {"forward", "carry sockets over a connection", cmd_forward},
    {"net", "join network interfaces", cmd_net},
    {"bridge", "join datagrams to subjects of a NATS server", cmd_bridge},
    {"record", "write datagrams to a file, with their times", cmd_record},
    {"replay", "send the datagrams of a file again", cmd_replay},
    {"ping", "measure round trips to `crossvm echo`", cmd_ping},
    {"echo", "send back what comes", cmd_echo},
    {"bench", "measure latency and throughput", cmd_bench},
    {"pair", "serve a connection to programs and VMMs of this machine", cmd_pair},
    {"hub", "serve the connections of a topology to VMMs that others start", cmd_hub},
    {"run", "start the VMs of a topology and join their connections", cmd_run},
    {"vmm-args", "print what QEMU, cloud-hypervisor or libvirt wants to be told", cmd_vmm_args},
    {"attach", "plug a connection into a QEMU that runs", cmd_attach},
    {"detach", "take a connection out of a QEMU that runs", cmd_detach},
    {"help", "explain a command", cmd_help},
    {"version", "print the release", cmd_version},
};

#define NUM_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* --- crossvm COMMAND --- */

/* The part of --help behind the options: made from the table, so that no command is forgotten. */
static char *filter_help(int key, const char *text, void *input)
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
    fputs("\nNAME is the name of a connection, as `crossvm ls` shows it, or the path of its device or socket. Sockets "
          "are "
          "looked for in $CROSSVM_DIR; without it, in /run/crossvm and then in $XDG_RUNTIME_DIR/crossvm. "
          "`crossvm help COMMAND` explains a command.",
          stream);
    return fclose(stream) ? NULL : help;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    int *command = state->input;

    (void)argument;
    switch (key) {
    case ARGP_KEY_ARG:
        *command = state->next - 1;
        state->next = state->argc; /* the rest is the command's */
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_state_help(state, stderr, ARGP_HELP_SHORT_USAGE | ARGP_HELP_DOC | ARGP_HELP_LONG | ARGP_HELP_EXIT_ERR);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .parser = parse,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc = "Looks at connections between virtual machines and uses them, in a guest and on the host.\v",
    .help_filter = filter_help,
};

static int run(int argc, char **argv)
{
    char name[32];

    for (size_t i = 0; i < NUM_COMMANDS; i++) {
        if (strcmp(argv[0], commands[i].name) == 0) {
            snprintf(name, sizeof(name), "crossvm %s", commands[i].name);
            argv[0] = name; /* how its usage and its usage errors call it */
            return commands[i].run(argc, argv);
        }
    }
    message("there is no command \"%s\"; `crossvm help` lists the commands", argv[0]);
    return STATUS_ERROR;
}

/* --- completion --- */

static void offer_value(const struct completion *completion, const char *placeholder)
{
    if (strcmp(placeholder, "COMMAND") != 0) {
        candidates_offer(completion, placeholder);
        return;
    }
    for (size_t i = 0; i < NUM_COMMANDS; i++)
        completion_offer(completion, commands[i].name, commands[i].summary);
}

/* `crossvm --complete COMMAND WORD...` is a question to the command; with one word it is one of the commands. */
static int complete(int argc, char **argv)
{
    argv[1] = argv[2];
    argv[2] = COMPLETION_OPTION;
    return run(argc - 1, argv + 1);
}

/* --- crossvm help, crossvm version --- */

static error_t parse_help(int key, char *argument, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG || state->arg_num > 0)
        return ARGP_ERR_UNKNOWN;
    *(char **)state->input = argument;
    return 0;
}

static int cmd_help(int argc, char **argv)
{
    static const struct argp help_argp = {
        .parser = parse_help, .args_doc = "[COMMAND]", .doc = "Explains a command, or lists all of them."};
    char *command = NULL, *words[] = {"crossvm", "--help", NULL};
    int first = 0;

    command_line_parse(&help_argp, 0, argc, argv, &command);
    if (!command)
        command_line_parse(&argp, ARGP_IN_ORDER, 2, words, &first);
    words[0] = command;
    return run(2, words);
}

static int cmd_version(int argc, char **argv)
{
    static const struct argp version_argp = {.doc = "Prints the release of the tool."};

    command_line_parse(&version_argp, 0, argc, argv, NULL);
    print_release();
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    int command = 0;

    standard_streams_set_up(STATUS_ERROR);
    argp_err_exit_status = STATUS_ERROR;
    completion_offer_value = offer_value;
    if (argc > 3 && strcmp(argv[1], COMPLETION_OPTION) == 0)
        return complete(argc, argv);
    command_line_parse(&argp, ARGP_IN_ORDER, argc, argv, &command);
    return run(argc - command, argv + command);
}
