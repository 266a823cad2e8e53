/* SPDX-License-Identifier: BSD-2-Clause */
/* Command pair: one connection, whose ends programs of this machine or VMMs take. */
#include <errno.h>
#include <limits.h>
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
#include "../hub/connection.h"
#include "../hub/door.h"
#include "../wire/door.h"
#include "../wire/socket_directory.h"
#include "command.h"

#define DEFAULT_SIZE 0x10000

enum { OPTION_END0 = 0x100, OPTION_END1, OPTION_STATS };

/* By which door an end is taken. */
enum door_kind { DOOR_HOST, DOOR_VFIO_USER, DOOR_IVSHMEM, DOOR_KINDS };

/* Doors as options name them; the sockets of VMMs end with the name, too. */
static const char *const door_names[DOOR_KINDS] = {"host", "vfio-user", "ivshmem"};

/* How an end is taken. */
struct end_options {
    enum door_kind kind;
    const char *path; /* of the VMM's socket; NULL: the usual one */
};

struct pair_options {
    struct hub_connection_config connection;
    struct end_options ends[2];
    const char *dir; /* of the sockets */
    bool stats;
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

static void choose_door(struct argp_state *state, struct pair_options *options, unsigned int end, const char *text)
{
    size_t length = strcspn(text, ":");
    const char *path = text[length] ? text + length + 1 : NULL;
    enum door_kind kind = DOOR_HOST;

    while (kind < DOOR_KINDS && (strncmp(text, door_names[kind], length) != 0 || door_names[kind][length]))
        kind++;
    if (kind == DOOR_KINDS || (path && (kind == DOOR_HOST || !*path)))
        command_line_error(state, "--end%u: \"%s\" is no door: that is host, vfio-user[:SOCKET] or ivshmem[:SOCKET]",
                           end, text);
    options->ends[end] = (struct end_options){kind, path};
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
        choose_door(state, options, (unsigned int)(key - OPTION_END0), argument);
        return 0;
    case OPTION_STATS:
        options->stats = true;
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
     "who takes end 0: host, a program of this machine (default); vfio-user[:SOCKET] or ivshmem[:SOCKET], a VMM that "
     "connects to SOCKET (default NAME.0.vfio-user or NAME.0.ivshmem beside the other sockets)",
     0},
    {"end1", OPTION_END1, "DOOR", 0, "the same for end 1", 0},
    {"stats", OPTION_STATS, NULL, 0, "tell what each VMM asked for, when it leaves", 0},
    {"socket-dir", 'd', "DIR", 0,
     "where programs find the ends (default $CROSSVM_DIR, /run/crossvm or $XDG_RUNTIME_DIR/crossvm)", 0},
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

static int check_descriptors(const struct hub_connection_config *connection)
{
    /* Of an end: listener, lock, doorbell, page, clients. Besides: standard ones, the stop, the loop, what signals
     * eventfds, the spare one, one that comes, and each dataport twice while it is handed out. */
    size_t needed = 2 * (4 + DOOR_MAX_CLIENTS) + 8 + 2 * connection->num_dataports;
    char what[CROSSVM_FULL_NAME_BYTES + 16];

    (void)snprintf(what, sizeof(what), "connection \"%s\"", connection->name);
    return descriptor_limit_check(what, needed);
}

/* Opens the door of an end, and gives in text what takes it. NULL after a message. */
static struct hub_door *open_door(const struct pair_options *chosen, struct hub_loop *loop, struct hub_end *end,
                                  char text[PATH_MAX])
{
    const struct end_options *door = &chosen->ends[end->number];
    const char *name = chosen->connection.name;

    if (door->kind == DOOR_HOST) {
        (void)snprintf(text, PATH_MAX, "%s.%u", name, end->number);
        return hub_door_host_open(loop, end, chosen->dir, text);
    }
    if (door->path)
        (void)snprintf(text, PATH_MAX, "%s", door->path);
    else
        (void)snprintf(text, PATH_MAX, "%s/%s.%u.%s", chosen->dir, name, end->number, door_names[door->kind]);
    if (door->kind == DOOR_IVSHMEM)
        return hub_door_ivshmem_open(loop, end, text);
    return hub_door_vfio_user_open(loop, end, text, chosen->stats);
}

/* Opens both doors and serves until it is told to end. */
static int serve(const struct pair_options *chosen, struct hub_loop *loop, struct hub_connection *connection, int stop)
{
    struct hub_door *doors[2] = {NULL, NULL};
    char texts[2][PATH_MAX];
    int status = STATUS_ERROR;

    for (unsigned int end = 0; end < 2; end++) {
        doors[end] = open_door(chosen, loop, hub_connection_end(connection, end), texts[end]);
        if (!doors[end])
            goto cleanup;
    }
    printf("%s %s\n", texts[0], texts[1]);
    status = standard_output_flush() && hub_loop_run(loop, stop) == 0 ? STATUS_OK : STATUS_ERROR;
    hub_connection_hang_up(connection);
cleanup:
    hub_door_close(doors[0]);
    hub_door_close(doors[1]);
    return status;
}

int cmd_pair(int argc, char **argv)
{
    char dir[SOCKET_DIRECTORY_BYTES];
    struct pair_options chosen = {.dir = dir};
    struct hub_connection *connection = NULL;
    struct hub_loop *loop = NULL;
    int stop, status = STATUS_ERROR;

    cvm_socket_directory_for_server(dir);
    cvm_socket_directory_for_server(dir);
    command_line_parse(&argp, 0, argc, argv, &chosen);
    descriptor_limit_raise();
    if (chosen.connection.num_dataports == 0) {
        chosen.connection.dataports[0] = (struct dataport_spec){.size = DEFAULT_SIZE, .writer = WRITER_BOTH};
        chosen.connection.num_dataports = 1;
    }
    chosen.connection.ivshmem = chosen.ends[0].kind == DOOR_IVSHMEM || chosen.ends[1].kind == DOOR_IVSHMEM;
    stop = catch_signals();
    if (stop < 0)
        return STATUS_ERROR;
    if (check_descriptors(&chosen.connection) == 0)
        loop = hub_loop_create();
    if (loop)
        connection = hub_connection_create(loop, &chosen.connection);
    if (connection)
        status = serve(&chosen, loop, connection, stop);
    hub_connection_destroy(connection);
    hub_loop_destroy(loop);
    close(stop);
    return status;
}
