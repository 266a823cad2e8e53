/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../common/command_line.h"
#include "../common/size.h"
#include "../wire/wire.h"

#define MIB ((uint64_t)1 << 20)
#define MAX_MEMORY (2048 * MIB)

enum {
    OPTION_STATS = 256,
    OPTION_JOIN,
    OPTION_DUMP,
    OPTION_GIC,
};

static const struct argp_option known[] = {
    {"kernel", 'k', "FILE", 0, "Linux to boot (required): a bzImage or an ELF vmlinux on x86-64, an Image on arm64", 0},
    {"initramfs", 'i', "FILE", 0, "its initramfs", 0},
    {"command-line", 'a', "STRING", 0, "its command line", 0},
    {"memory", 'm', "SIZE", 0, "RAM, a multiple of 1M (default 256M)", 0},
    {"vcpus", 'c', "N", 0, "vCPUs (default 1)", 0},
    {"name", 'n', "NAME", 0, "name of the VM in messages (default vm)", 0},
    {"connection", 'C', "SPEC", 0,
     "a connection; SPEC is NAME[,SIZE[:WRITER]]... with up to 4 dataports. SIZE is in bytes or with K, M, G, a "
     "multiple "
     "of 4K; WRITER is both (default), guest or host. \",base-block-only\" offers registers 0x00 to 0x37 only",
     0},
    {"join", OPTION_JOIN, "FD", 0,
     "a connection to another VM, as a socket describes it that this process inherited; for `crossvm run`", 0},
    {"socket-dir", 'd', "DIR", 0, "where host programs find the connections (default $CROSSVM_DIR or /run/crossvm)", 0},
    {"gic", OPTION_GIC, "VERSION", 0,
     "arm64: the guest's interrupt controller, 3 (with MSI) or 2 (without); default is the best that KVM has", 0},
    {"stats", OPTION_STATS, NULL, 0, "print counters of exits at the end", 0},
    {"dump", OPTION_DUMP, NULL, 0, "print the devices that the guest would see, and end; needs no KVM", 0},
    {0},
};

static void parse_dataport(struct argp_state *state, struct connection_option *connection, const char *text)
{
    static const char *const ends[] = {"guest", "host"};
    char reason[128];

    if (strcmp(text, "base-block-only") == 0) {
        connection->base_block_only = true;
        return;
    }
    if (connection->num_dataports == CROSSVM_MAX_DATAPORTS)
        command_line_error(state, "connection %s: at most %d dataports", connection->name, CROSSVM_MAX_DATAPORTS);
    if (!dataport_spec_parse(text, ends, &connection->dataports[connection->num_dataports++], reason))
        command_line_error(state, "connection %s: \"%s\" %s", connection->name, text, reason);
}

static struct connection_option *add_connection(struct argp_state *state, struct options *options, const char *argument)
{
    struct connection_option *connections =
        reallocarray(options->connections, options->num_connections + 1, sizeof(*connections));

    if (!connections)
        command_line_error(state, "connection %s: no memory", argument);
    options->connections = connections;
    connections += options->num_connections++;
    *connections = (struct connection_option){.join_fd = -1};
    return connections;
}

static void parse_connection(struct argp_state *state, struct options *options, const char *argument)
{
    struct connection_option *connection = add_connection(state, options, argument);
    char *text = strdup(argument);
    char *next = text;
    const char *name;

    if (!text)
        command_line_error(state, "connection %s: no memory", argument);
    name = strsep(&next, ",");
    if (strlen(name) >= sizeof(connection->name))
        command_line_error(state, "connection %s: the name is longer than %d bytes", name, CROSSVM_FULL_NAME_BYTES - 1);
    memcpy(connection->name, name, strlen(name));
    while (next)
        parse_dataport(state, connection, strsep(&next, ","));
    free(text);
}

static uint64_t parse_memory(struct argp_state *state, const char *text)
{
    uint64_t bytes = 0;

    if (!size_parse(text, NULL, &bytes) || bytes == 0 || bytes % MIB || bytes > MAX_MEMORY)
        command_line_error(state, "--memory: \"%s\" is not a multiple of 1M from 1M to 2G", text);
    return bytes;
}

static void parse_join(struct argp_state *state, struct options *options, const char *argument)
{
    uint64_t fd = 0;

    if (!number_parse(argument, NULL, &fd) || fd > INT_MAX || fcntl((int)fd, F_GETFD) < 0)
        command_line_error(state, "--join: \"%s\" is not the number of an open descriptor", argument);
    add_connection(state, options, argument)->join_fd = (int)fd;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case 'k':
        options->kernel = argument;
        return 0;
    case 'i':
        options->initramfs = argument;
        return 0;
    case 'a':
        options->command_line = argument;
        return 0;
    case 'm':
        options->memory = parse_memory(state, argument);
        return 0;
    case 'c':
        options->vcpus = (unsigned int)command_line_number(state, "--vcpus", argument, 1, 8);
        return 0;
    case 'n':
        options->name = argument;
        return 0;
    case 'C':
        parse_connection(state, options, argument);
        return 0;
    case 'd':
        options->socket_dir = argument;
        return 0;
    case OPTION_JOIN:
        parse_join(state, options, argument);
        return 0;
    case OPTION_GIC:
        options->gic = (int)command_line_number(state, "--gic", argument, 2, 3);
        return 0;
    case OPTION_DUMP:
        options->dump = true;
        return 0;
    case OPTION_STATS:
        options->stats = true;
        return 0;
    case ARGP_KEY_END:
        if (!options->kernel && !options->dump)
            command_line_error(state, "no kernel: name a Linux image with --kernel");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void options_parse(struct options *options, int argc, char **argv)
{
    static const struct argp argp = {
        .options = known,
        .parser = parse,
        .doc =
            "Runs a Linux VM on KVM and serves the host ends of its cross-VM connections.\v"
            "The guest's console is standard input and output. Exit status: what the guest stored to I/O port 0xf4 "
            "(x86-64) or address 0x9010000 (arm64); 0 after a power-off; 71 after a reset, which a reboot and a panic "
            "ask for; 70 when the guest crashed; 1 when it could not start; 128 and the signal's number after SIGINT, "
            "SIGTERM or SIGHUP, which end the VM.",
    };
    const char *dir = getenv("CROSSVM_DIR");

    *options = (struct options){
        .name = "vm",
        .command_line = "",
        .socket_dir = dir && dir[0] ? dir : CROSSVM_DEFAULT_DIRECTORY,
        .memory = 256 * MIB,
        .vcpus = 1,
    };
    command_line_parse(&argp, 0, argc, argv, options);
}

void options_free(struct options *options)
{
    free(options->connections);
}
