/* SPDX-License-Identifier: BSD-2-Clause */
/* Command forward: sockets over a connection. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "../common/descriptor_limit.h"
#include "../common/standard_streams.h"
#include "../forward/confinement.h"
#include "../forward/forwarder.h"
#include "../sandbox/lock_down.h"
#include "channel_command.h"
#include "serve.h"

#define DEFAULT_SOCKETS 512
#define DEFAULT_MEMORY ((uint64_t)64 << 20)
#define DEFAULT_WINDOW ((uint64_t)256 << 10)
#define LEAST_MEMORY ((uint64_t)16 << 10)
#define OTHER_DESCRIPTORS 64 /* of the connection and the process itself */

enum {
    OPTION_ALLOW = 0x100,
    OPTION_STDIO,
    OPTION_SOCKETS,
    OPTION_MEMORY,
    OPTION_WINDOW,
    OPTION_NO_SANDBOX,
};

struct request {
    struct channel_choice choice;
    struct rules rules;
    char standard[FRAME_TARGET_BYTES]; /* "": none */
    uint32_t sockets;
    uint64_t memory;
    uint64_t window;
    bool no_sandbox;
};

static void check(struct argp_state *state, const struct request *request)
{
    if (request->standard[0] && request->rules.num_listens)
        command_line_error(state, "--stdio ends with its socket, and --listen does not end; use two connections");
    if (!request->standard[0] && !request->rules.num_listens && !request->rules.num_allowed)
        command_line_error(state, "there is nothing to forward: give --listen, --allow or --stdio");
    if (request->window > request->memory)
        command_line_error(state, "--window is more than --memory, which is for all windows");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;
    char reason[RULES_REASON_BYTES];

    switch (key) {
    case 'L':
        if (!rules_add_listen(&request->rules, argument, reason))
            command_line_error(state, "--listen: \"%s\" %s", argument, reason);
        return 0;
    case OPTION_ALLOW:
        if (!rules_add_allowed(&request->rules, argument, reason))
            command_line_error(state, "--allow: \"%s\" %s", argument, reason);
        return 0;
    case OPTION_STDIO:
        if (!rules_parse_target(argument, request->standard, reason))
            command_line_error(state, "--stdio: \"%s\" %s", argument, reason);
        return 0;
    case OPTION_SOCKETS:
        request->sockets = (uint32_t)command_line_number(state, "--sockets", argument, 1, FORWARDER_MOST_SOCKETS);
        return 0;
    case OPTION_MEMORY:
        request->memory = command_line_size(state, "--memory", argument, LEAST_MEMORY);
        return 0;
    case OPTION_WINDOW:
        request->window = command_line_size(state, "--window", argument, LEAST_MEMORY);
        if (request->window > FRAME_MAX_WINDOW)
            command_line_error(state, "--window: \"%s\" is too large; give at most 1G", argument);
        return 0;
    case OPTION_NO_SANDBOX:
        request->no_sandbox = true;
        return 0;
    case ARGP_KEY_SUCCESS:
        check(state, request);
        return 0;
    default:
        return channel_parse_name(key, argument, state, &request->choice);
    }
}

static const struct argp_option options[] = {
    {"listen", 'L', "ADDRESS:TARGET", 0,
     "listen at ADDRESS, and join each socket to TARGET at the other end, which has to allow it", 0},
    {"allow", OPTION_ALLOW, "[NAME=]ADDRESS", 0,
     "let the other end reach ADDRESS of this machine's, as its target NAME (default: the address itself)", 0},
    {"stdio", OPTION_STDIO, "TARGET", 0, "join standard input and output to TARGET, and end with it", 0},
    {"sockets", OPTION_SOCKETS, "COUNT", 0, "at most so many sockets at once, in each direction (default 512)", 0},
    {"memory", OPTION_MEMORY, "SIZE", 0, "keep at most this much for slow sockets, in all (default 64M)", 0},
    {"window", OPTION_WINDOW, "SIZE", 0, "keep at most this much for each slow socket (default 256K)", 0},
    COMMAND_LINE_NO_SANDBOX(OPTION_NO_SANDBOX, 0),
    {0},
};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "NAME",
    .doc =
        "Carries sockets over a connection, as ssh -L does over its own. Both ends run this command: one listens, the "
        "other allows. Nothing is allowed by default.\v"
        "An address is PORT or HOST:PORT of TCP, where HOST is a number or localhost; the path of a Unix socket; "
        "seqpacket:PATH; or vsock:CID:PORT. Prints where it listens. Ends on SIGINT, SIGTERM or SIGHUP.\n\n"
        "Exit status: 0 when it was told to end or --stdio came to its end, 1 when nobody came in time, 2 for an "
        "error.",
    .children = (const struct argp_child[]){{&channel_sleep_argp, 0, NULL, 0}, {0}},
};

/* Where it listens, also if any port was asked for. */
static bool print_listens(const struct rules *rules)
{
    char text[ADDRESS_TEXT_BYTES];

    for (size_t i = 0; i < rules->num_listens; i++)
        printf("%s %s\n", address_format(text, &rules->listens[i].address), rules->listens[i].target);
    return standard_output_flush();
}

static int run(const struct request *request, const struct forwarder_config *config)
{
    const bool confined = !request->no_sandbox && lock_down_is_possible();
    struct forwarder *forwarder = forwarder_create(config);
    int status = STATUS_ERROR;

    if (forwarder && (!confined || forward_confine(config) == 0) &&
        (config->standard || print_listens(config->rules)) && forward_enter_filter() == 0)
        status = forwarder_run(forwarder);
    forwarder_destroy(forwarder);
    return status;
}

int cmd_forward(int argc, char **argv)
{
    static struct request request = {
        .choice = CHANNEL_CHOICE(CROSSVM_CHANNEL_DATAGRAM),
        .sockets = DEFAULT_SOCKETS,
        .memory = DEFAULT_MEMORY,
        .window = DEFAULT_WINDOW,
    };
    struct forwarder_config config = {.rules = &request.rules};
    int status = STATUS_ERROR;

    command_line_parse(&argp, 0, argc, argv, &request);
    (void)signal(SIGPIPE, SIG_IGN); /* a write fails with EPIPE instead */
    descriptor_limit_raise();
    config.standard = request.standard[0] ? request.standard : NULL;
    config.sockets = request.sockets;
    config.memory = request.memory;
    config.window = (uint32_t)request.window;
    config.deadline = deadline_after(request.choice.seconds);
    config.stop = serve_catch_signals();
    if (config.stop < 0)
        return STATUS_ERROR;
    if (descriptor_limit_check("crossvm forward", 2 * (size_t)request.sockets + OTHER_DESCRIPTORS) == 0)
        config.channel = channel_open(&request.choice);
    if (config.channel && rules_listen(&request.rules)) {
        status = run(&request, &config);
        rules_close(&request.rules);
    }
    channel_close(config.channel);
    close(config.stop);
    return status;
}
