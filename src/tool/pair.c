/* SPDX-License-Identifier: BSD-2-Clause */
/* Command pair: one connection, whose ends programs of this machine or VMMs take. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../common/dataport_spec.h"
#include "../common/descriptor_limit.h"
#include "../common/name.h"
#include "../common/standard_streams.h"
#include "../hub/hub.h"
#include "../sandbox/lock_down.h"
#include "../wire/socket_directory.h"
#include "command.h"
#include "serve.h"

#define DEFAULT_SIZE 0x10000

enum { OPTION_END0 = 0x100, OPTION_END1, OPTION_STATS, OPTION_NO_SANDBOX };

struct pair_options {
    struct hub_connection_config connection;
    const char *dir; /* of the sockets */
    bool stats;
    bool no_sandbox;
};

static void add_dataport(struct argp_state *state, struct hub_connection_config *connection, const char *text)
{
    static const char *const ends[] = {"0", "1"};
    char reason[128];

    if (connection->num_dataports == CROSSVM_MAX_DATAPORTS)
        command_line_error(state, "--dataport: at most %d", CROSSVM_MAX_DATAPORTS);
    if (!dataport_spec_parse(text, ends, &connection->dataports[connection->num_dataports++], reason))
        command_line_error(state, "--dataport: \"%s\" %s", text, reason);
}

/* Reads DOOR[:SOCKET]. */
static void choose_door(struct argp_state *state, struct hub_connection_config *connection, unsigned int end,
                        const char *text)
{
    for (enum crossvm_door door = CROSSVM_DOOR_HOST; door <= CROSSVM_DOOR_IVSHMEM; door++) {
        const char *word = hub_door_word(door), *rest = text + strlen(word);

        if (strncmp(text, word, strlen(word)) != 0 || (*rest && (*rest != ':' || !rest[1])))
            continue;
        connection->ends[end] = (struct hub_end_config){.door = door, .path = *rest ? rest + 1 : NULL};
        return;
    }
    command_line_error(
        state,
        "--end%u: \"%s\" is no door: that is host, crossvm-vm, vfio-user or ivshmem, and may be followed "
        "by :SOCKET",
        end, text);
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
        add_dataport(state, &options->connection, argument);
        return 0;
    case OPTION_END0:
    case OPTION_END1:
        choose_door(state, &options->connection, (unsigned int)(key - OPTION_END0), argument);
        return 0;
    case OPTION_STATS:
        options->stats = true;
        return 0;
    case OPTION_NO_SANDBOX:
        options->no_sandbox = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!is_name(argument))
            command_line_error(state, "\"%s\" is no name: it has 1 to %d of the characters A-Z a-z 0-9 . _ -", argument,
                               CROSSVM_FULL_NAME_BYTES - 3);
        return command_line_take_name(key, argument, state, &options->connection.name);
    default:
        return command_line_take_name(key, argument, state, &options->connection.name);
    }
}

static const struct argp_option options[] = {
    {"dataport", 'p', "SIZE[:WRITER]", 0,
     "a dataport of SIZE bytes, or with K, M or G; WRITER is the end that alone may write, 0 or 1, or both (default). "
     "At most 4; without this option there is one of 64K",
     0},
    {"end0", OPTION_END0, "DOOR", 0,
     "who takes end 0: host, a program of this machine (default); or a VMM for its guest: crossvm-vm, vfio-user or "
     "ivshmem. DOOR:SOCKET is its socket (default NAME.0.sock, or NAME.0.DOOR beside the others)",
     0},
    {"end1", OPTION_END1, "DOOR", 0, "the same for end 1", 0},
    {"stats", OPTION_STATS, NULL, 0, "tell what each VMM asked for, when it leaves", 0},
    {"socket-dir", 'd', "DIR", 0,
     "where programs find the ends (default $CROSSVM_DIR, /run/crossvm or $XDG_RUNTIME_DIR/crossvm)", 0},
    COMMAND_LINE_NO_SANDBOX(OPTION_NO_SANDBOX, 0),
    {0},
};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "NAME",
    .doc =
        "Serves a connection. Programs of this machine, for development and tests, open its ends NAME.0 and NAME.1 as "
        "they would open those of a VM. A VMM takes an end for its guest, where it is the device NAME.\v"
        "Prints the names or the sockets of the ends when they can be taken. Ends on SIGINT, SIGTERM or SIGHUP.",
};

static size_t descriptors_of(const struct hub_connection_config *connection)
{
    return HUB_DESCRIPTORS + hub_descriptors(connection);
}

static int check_descriptors(const struct hub_connection_config *connection)
{
    char what[CROSSVM_FULL_NAME_BYTES + 16];

    (void)snprintf(what, sizeof(what), "connection \"%s\"", connection->name);
    return descriptor_limit_check(what, descriptors_of(connection));
}

static int confine(const struct pair_options *options)
{
    const struct hub_connection_config *connection = &options->connection;
    char view[PATH_MAX];
    const char *const sockets[] = {connection->ends[0].path, connection->ends[1].path, view};
    const struct serve_needs needs = {
        .sockets = sockets,
        .num_sockets = access(options->dir, F_OK) ? 2 : 3, /* where there is no folder, there is no view */
        .descriptors = descriptors_of(connection),
        .file_bytes = hub_file_bytes(connection),
    };

    (void)snprintf(view, sizeof(view), "%s/%s.view", options->dir, connection->name);
    return options->no_sandbox || !lock_down_is_possible() ? 0 : serve_confine(&needs);
}

/* What an end is called, and where its socket is, when they were not given. In texts is what takes them. */
static void name_ends(struct pair_options *chosen, char names[2][CROSSVM_FULL_NAME_BYTES], char paths[2][PATH_MAX],
                      const char *texts[2])
{
    for (unsigned int i = 0; i < 2; i++) {
        struct hub_end_config *end = &chosen->connection.ends[i];
        bool host = end->door == CROSSVM_DOOR_HOST;

        (void)snprintf(names[i], CROSSVM_FULL_NAME_BYTES, "%s.%u", chosen->connection.name, i);
        end->name = names[i];
        texts[i] = end->path;
        if (end->path)
            continue;
        (void)snprintf(paths[i], PATH_MAX, "%s/%s.%s", chosen->dir, names[i], host ? "sock" : hub_door_word(end->door));
        end->path = paths[i];
        texts[i] = host ? names[i] : paths[i];
    }
}

int cmd_pair(int argc, char **argv)
{
    char dir[SOCKET_DIRECTORY_BYTES], names[2][CROSSVM_FULL_NAME_BYTES], paths[2][PATH_MAX];
    struct pair_options chosen = {.dir = dir,
                                  .connection.ends = {{.door = CROSSVM_DOOR_HOST}, {.door = CROSSVM_DOOR_HOST}}};
    int stop, status = STATUS_ERROR;
    struct hub *hub = NULL;
    const char *texts[2];

    cvm_socket_directory_for_server(dir);
    command_line_parse(&argp, 0, argc, argv, &chosen);
    descriptor_limit_raise();
    if (chosen.connection.num_dataports == 0) {
        chosen.connection.dataports[0] = (struct dataport_spec){.size = DEFAULT_SIZE, .writer = WRITER_BOTH};
        chosen.connection.num_dataports = 1;
    }
    name_ends(&chosen, names, paths, texts);
    stop = serve_catch_signals();
    if (stop < 0)
        return STATUS_ERROR;
    if (check_descriptors(&chosen.connection) == 0)
        hub = hub_create(chosen.dir, chosen.stats);
    if (hub && hub_add(hub, &chosen.connection) == 0 && confine(&chosen) == 0) {
        printf("%s %s\n", texts[0], texts[1]);
        if (standard_output_flush() && serve_enter_filter() == 0)
            status = hub_serve(hub, stop) ? STATUS_ERROR : STATUS_OK;
    }
    hub_destroy(hub);
    close(stop);
    return status;
}
