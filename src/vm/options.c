/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sel4vm_kvm.h>

#include "../common/command_line.h"
#include "../common/name.h"
#include "../common/size.h"
#include "../common/vm_limits.h"
#include "../wire/socket_directory.h"
#include "../wire/wire.h"

#define MIB ((uint64_t)1 << 20)

/* The number is in the help of --command-line, too. */
_Static_assert(VM_MAX_COMMAND_LINE == KVM_COMMAND_LINE_MAX - (sizeof(COMMAND_LINE_START) - 1),
               "room for the command line");

enum {
    OPTION_STATS = 256,
    OPTION_JOIN,
    OPTION_DUMP,
    OPTION_GIC,
    OPTION_JSON,
};

static const struct argp_option known[] = {
    {"kernel", 'k', "FILE", 0, "Linux to boot (required): a bzImage or an ELF vmlinux on x86-64, an Image on arm64", 0},
    {"initramfs", 'i', "FILE", 0, "its initramfs", 0},
    {"command-line", 'a', "STRING", 0,
     "its command line, at most 2024 bytes; \"console=ttyS0 panic=-1\" comes before it", 0},
    {"memory", 'm', "SIZE", 0, "RAM, a multiple of 1M, at most 2G (default 256M)", 0},
    {"vcpus", 'c', "N", 0, "vCPUs, at most 8 (default 1)", 0},
    {"name", 'n', "NAME", 0, "name of the VM in messages (default vm)", 0},
    {"connection", 'C', "SPEC", 0,
     "a connection; SPEC is NAME[,SIZE[:WRITER]]... with up to 4 dataports. SIZE is in bytes or with K, M, G, a "
     "multiple of 4K; WRITER is both (default), guest or host. \",base-block-only\" offers registers 0x00 to 0x37 only",
     0},
    {"join", OPTION_JOIN, "FD", 0,
     "a connection to another VM, as a socket describes it that this process inherited; for `crossvm run`", 0},
    {"socket-dir", 'd', "DIR", 0,
     "where host programs find the connections (default $CROSSVM_DIR, /run/crossvm or "
     "$XDG_RUNTIME_DIR/crossvm)",
     0},
    {"gic", OPTION_GIC, "VERSION", 0,
     "arm64: the guest's interrupt controller, 3 (with MSI) or 2 (without); default is the best that KVM has", 0},
    {"stats", OPTION_STATS, NULL, 0, "print counters of exits at the end", 0},
    {"dump", OPTION_DUMP, NULL, 0, "print the devices that the guest would see, and end; needs no KVM", 0},
    {"json", OPTION_JSON, NULL, 0, "... as JSON", 0},
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

static bool is_used(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->num_connections; i++) {
        if (strcmp(options->connections[i].name, name) == 0)
            return true;
    }
    return false;
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
    if (!name_is_valid(name))
        command_line_error(state, "connection \"%s\" is no name: a name has " NAME_RULE, name);
    if (is_used(options, name))
        command_line_error(state, "connection \"%s\" is given twice; choose a name for each", name);
    memcpy(connection->name, name, strlen(name));
    while (next)
        parse_dataport(state, connection, strsep(&next, ","));
    if (connection->base_block_only && connection->num_dataports > 1)
        command_line_error(state, "connection %s: a device with the base block only has at most one dataport, not %zu",
                           name, connection->num_dataports);
    free(text);
}

static uint64_t parse_memory(struct argp_state *state, const char *text)
{
    uint64_t bytes = 0;

    if (!size_parse(text, NULL, &bytes) || bytes == 0 || bytes % MIB || bytes > VM_MAX_MEMORY)
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

static const char *check_command_line(struct argp_state *state, const char *argument)
{
    if (strlen(argument) > VM_MAX_COMMAND_LINE)
        command_line_error(
            state,
            "--command-line has %zu bytes, and at most %d fit: Linux takes %d, of which \"" COMMAND_LINE_START
            "\" takes %zu",
            strlen(argument), VM_MAX_COMMAND_LINE, KVM_COMMAND_LINE_MAX, sizeof(COMMAND_LINE_START) - 1);
    return argument;
}

/* What connections to other VMs take is not known yet, so the installation looks again. */
static void check_room(struct argp_state *state, const struct options *options)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < options->num_connections; i++) {
        const struct connection_option *connection = &options->connections[i];

        bytes += connection->base_block_only ? CROSSVM_PAGE_SIZE : 2 * CROSSVM_PAGE_SIZE;
        for (size_t k = 0; k < connection->num_dataports; k++)
            bytes += bar_bytes(connection->dataports[k].size);
    }
    if (bytes > VM_BAR_BYTES)
        command_line_error(state,
                           "the connections take %llu KiB of guest addresses, and there are %llu MiB; a dataport takes "
                           "the next power of two",
                           (unsigned long long)bytes >> 10, (unsigned long long)(VM_BAR_BYTES / MIB));
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
        options->command_line = check_command_line(state, argument);
        return 0;
    case 'm':
        options->memory = parse_memory(state, argument);
        return 0;
    case 'c':
        options->vcpus = (unsigned int)command_line_number(state, "--vcpus", argument, 1, VM_MAX_VCPUS);
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
    case OPTION_JSON:
        options->json = true;
        return 0;
    case OPTION_STATS:
        options->stats = true;
        return 0;
    case ARGP_KEY_END:
        if (!options->kernel && !options->dump)
            command_line_error(state, "no kernel: name a Linux image with --kernel");
        if (options->json && !options->dump)
            command_line_error(state, "--json is for --dump; name both, or neither");
        check_room(state, options);
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
            "ask for; 70 when the guest crashed; 72 when it could not start; 128 and the signal's number after SIGINT, "
            "SIGTERM or SIGHUP, which end the VM. Limits: the guest's kernel needs ACPI and the IOAPIC on x86-64, and "
            "pages of 4 KiB where its programs use connections.",
    };
    static char dir[SOCKET_DIRECTORY_BYTES];

    cvm_socket_directory_for_server(dir);
    *options = (struct options){
        .name = "vm",
        .command_line = "",
        .socket_dir = dir,
        .memory = 256 * MIB,
        .vcpus = 1,
    };
    command_line_parse(&argp, 0, argc, argv, options);
}

void options_free(struct options *options)
{
    free(options->connections);
}
