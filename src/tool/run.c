/* SPDX-License-Identifier: BSD-2-Clause */
/* Command run: starts the VMs of a topology. */
#include <stdio.h>
#include <stdlib.h>

#include "../common/descriptor_limit.h"
#include "../run/dump.h"
#include "../run/runner.h"
#include "../run/topology.h"
#include "../wire/socket_directory.h"
#include "command.h"

enum {
    OPTION_CHECK = 256,
    OPTION_DUMP,
    OPTION_STATS,
    OPTION_NO_SANDBOX,
};

struct request {
    const char *file;
    bool check;
    struct vm_command_options program;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct request *request = state->input;

    switch (key) {
    case OPTION_CHECK:
        request->check = true;
        return 0;
    case OPTION_DUMP:
        request->program.dump = true;
        return 0;
    case 'j':
        request->program.json = true;
        return 0;
    case OPTION_STATS:
        request->program.stats = true;
        return 0;
    case OPTION_NO_SANDBOX:
        request->program.no_sandbox = true;
        return 0;
    case 'd':
        request->program.socket_dir = argument;
        return 0;
    case ARGP_KEY_END:
        if (request->program.json && !request->program.dump)
            command_line_error(state, "--json is for --dump; name both, or neither");
        return 0;
    default:
        return command_line_take_file(key, argument, state, &request->file);
    }
}

static const struct argp_option options[] = {
    {"check", OPTION_CHECK, NULL, 0, "only check the file", 0},
    {"dump", OPTION_DUMP, NULL, 0, "print the devices that each guest will see; starts no VM", 0},
    {"json", 'j', NULL, 0, "... as JSON", 0},
    {"socket-dir", 'd', "DIR", 0,
     "where host programs find connections (default $CROSSVM_DIR, /run/crossvm or "
     "$XDG_RUNTIME_DIR/crossvm)",
     0},
    {"stats", OPTION_STATS, NULL, 0, "print counters of each VM's exits at its end", 0},
    {"no-sandbox", OPTION_NO_SANDBOX, NULL, 0,
     "confine neither this program nor crossvm-vm: for debugging, or where the kernel cannot", 0},
    {0},
};

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "FILE",
    .doc = "Runs the VMs of a topology and joins the ends of its connections. FILE - is standard input.\v"
           "Ends when all VMs have ended, or on SIGINT, SIGTERM or SIGHUP. Exit status: 0 when all VMs powered off, 1 "
           "when one failed (a reboot or a panic of its guest is such an end, too) or could not start, 2 for a wrong "
           "topology, 128 and the signal's number after a signal.",
};

int cmd_run(int argc, char **argv)
{
    char dir[SOCKET_DIRECTORY_BYTES];
    struct request request = {.program.socket_dir = dir};
    struct topology topology;
    int status = STATUS_OK;

    cvm_socket_directory_for_server(dir);
    command_line_parse(&argp, 0, argc, argv, &request);
    descriptor_limit_raise();
    if (topology_load(&topology, request.file, request.program.socket_dir))
        return STATUS_ERROR;
    if (request.check)
        printf("%s: VMs: %zu, connections: %zu; nothing is wrong\n", topology_file_name(request.file), topology.num_vms,
               topology.num_connections);
    else if (request.program.dump)
        status = topology_dump(&topology, &request.program);
    else
        status = runner_run(&topology, &request.program);
    topology_free(&topology);
    return status;
}
