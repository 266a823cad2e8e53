/* SPDX-License-Identifier: BSD-2-Clause */
/* Command hub: serves the connections of a topology to VMMs that others start. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "../common/descriptor_limit.h"
#include "../common/standard_streams.h"
#include "../run/topology_hub.h"
#include "../sandbox/lock_down.h"
#include "../wire/socket_directory.h"
#include "command.h"
#include "serve.h"

enum {
    OPTION_STATS = 256,
    OPTION_NO_SANDBOX,
};

struct request {
    const char *file;
    const char *dir;
    bool stats;
    bool no_sandbox;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case 'd':
        request->dir = argument;
        return 0;
    case OPTION_STATS:
        request->stats = true;
        return 0;
    case OPTION_NO_SANDBOX:
        request->no_sandbox = true;
        return 0;
    default:
        return command_line_take_file(key, argument, state, &request->file);
    }
}

static const struct argp argp = {
    .options =
        (const struct argp_option[]){
            {"socket-dir", 'd', "DIR", 0,
             "where programs and VMMs find connections (default $CROSSVM_DIR, /run/crossvm or "
             "$XDG_RUNTIME_DIR/crossvm)",
             0},
            {"stats", OPTION_STATS, NULL, 0, "tell what each VMM asked for, when it leaves", 0},
            COMMAND_LINE_NO_SANDBOX(OPTION_NO_SANDBOX, 0),
            {0},
        },
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Serves the connections of a topology, and starts no VM, whatever VMM the file names. FILE - is standard "
           "input.\v"
           "Prints the sockets for VMMs when they can be taken, and tells systemd (Type=notify). `crossvm vmm-args "
           "NAME` prints what to tell a VMM. Ends on SIGINT, SIGTERM or SIGHUP.",
};

static void print_sockets(const struct topology *topology, const char *dir)
{
    char path[PATH_MAX];

    for (size_t i = 0; i < topology->num_connections; i++) {
        for (int end = 0; end < 2; end++) {
            if (topology->connections[i].ends[end] != TOPOLOGY_HOST && topology_socket(topology, i, end, dir, path))
                printf("%s\n", path);
        }
    }
}

/* All sockets are in one directory. */
static int confine(const struct topology *topology, const struct request *request)
{
    char socket[PATH_MAX];
    const char *const sockets[] = {socket};
    struct serve_needs needs = {
        .sockets = sockets,
        .num_sockets = topology->num_connections ? 1 : 0,
        .descriptors = topology_hub_descriptors(topology),
        .file_bytes = topology_hub_file_bytes(topology),
    };

    if (request->no_sandbox || !lock_down_is_possible())
        return 0;
    if (needs.num_sockets)
        (void)topology_socket(topology, 0, 0, request->dir, socket);
    return serve_confine(&needs);
}

static int serve(const struct topology *topology, const struct request *request, int stop)
{
    struct hub *hub = NULL;
    int status = STATUS_ERROR;

    if (descriptor_limit_check("this topology", topology_hub_descriptors(topology)) == 0)
        hub = topology_hub_create(topology, request->dir, request->stats);
    if (hub && confine(topology, request) == 0) {
        print_sockets(topology, request->dir);
        if (standard_output_flush() && serve_tell_ready() && serve_enter_filter() == 0)
            status = hub_serve(hub, stop) ? STATUS_ERROR : STATUS_OK;
    }
    hub_destroy(hub);
    return status;
}

int cmd_hub(int argc, char **argv)
{
    char dir[SOCKET_DIRECTORY_BYTES];
    struct request request = {.dir = dir};
    struct topology topology;
    int stop, status;

    cvm_socket_directory_for_server(dir);
    command_line_parse(&argp, 0, argc, argv, &request);
    descriptor_limit_raise();
    if (topology_load(&topology, request.file, request.dir))
        return STATUS_ERROR;
    stop = serve_catch_signals();
    status = stop < 0 ? STATUS_ERROR : serve(&topology, &request, stop);
    if (stop >= 0)
        close(stop);
    topology_free(&topology);
    return status;
}
