/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sel4vm_kvm.h>

#include "../common/command_line.h"
#include "../common/size.h"
#include "../common/vm_limits.h"

#define MIB ((uint64_t)1 << 20)

/* The number is in the help of --command-line, too. */
_Static_assert(VM_MAX_COMMAND_LINE == KVM_COMMAND_LINE_MAX - (sizeof(COMMAND_LINE_START) - 1),
               "room for the command line");

enum {
    OPTION_STATS = 256,
    OPTION_DUMP,
    OPTION_GIC,
    OPTION_JSON,
    OPTION_USER,
    OPTION_NO_SANDBOX,
};

static const struct argp_option known[] = {
    {"kernel", 'k', "FILE", 0, "Linux to boot (required): a bzImage or an ELF vmlinux on x86-64, an Image on arm64", 0},
    {"initramfs", 'i', "FILE", 0, "its initramfs", 0},
    {"command-line", 'a', "STRING", 0,
     "its command line, at most 2024 bytes; \"console=ttyS0 panic=-1\" comes before it", 0},
    {"memory", 'm', "SIZE", 0, "RAM, a multiple of 1M, at most 2G (default 256M)", 0},
    {"vcpus", 'c', "N", 0, "vCPUs, at most 8 (default 1)", 0},
    {"name", 'n', "NAME", 0, "name of the VM in messages (default vm)", 0},
    {"join", 'j', "SOCKET", 0,
     "a connection: a hub's socket for this VM, such as DIR/NAME@VM.crossvm-vm, or the number of a descriptor that was "
     "inherited. Once for each connection",
     0},
    {"gic", OPTION_GIC, "VERSION", 0,
     "arm64: the guest's interrupt controller, 3 (with MSI) or 2 (without); default is the best that KVM has", 0},
    {"user", OPTION_USER, "USER", 0,
     "as root: the user to go on as once all is open, a name or a number (default: a number of its own)", 0},
    {"no-sandbox", OPTION_NO_SANDBOX, NULL, 0,
     "do not confine this program: for debugging, or where the kernel cannot. A guest that takes it over then has all "
     "that its user has",
     0},
    {"stats", OPTION_STATS, NULL, 0, "print counters of exits at the end", 0},
    {"dump", OPTION_DUMP, NULL, 0, "print the devices that the guest would see, and end; needs no KVM", 0},
    {"json", OPTION_JSON, NULL, 0, "... as JSON", 0},
    {0},
};

static uint64_t parse_memory(struct argp_state *state, const char *text)
{
    uint64_t bytes = 0;

    if (!size_parse(text, NULL, &bytes) || bytes == 0 || bytes % MIB || bytes > VM_MAX_MEMORY)
        command_line_error(state, "--memory: \"%s\" is not a multiple of 1M from 1M to 2G", text);
    return bytes;
}

static void add_join(struct argp_state *state, struct options *options, const char *argument)
{
    const char **joins = reallocarray(options->joins, options->num_joins + 1, sizeof(*joins));

    if (!joins)
        command_line_error(state, "--join %s: no memory", argument);
    joins[options->num_joins++] = argument;
    options->joins = joins;
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
    case 'j':
        add_join(state, options, argument);
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
    case OPTION_USER:
        options->user = argument;
        return 0;
    case OPTION_NO_SANDBOX:
        options->no_sandbox = true;
        return 0;
    case OPTION_STATS:
        options->stats = true;
        return 0;
    case ARGP_KEY_END:
        if (!options->kernel && !options->dump)
            command_line_error(state, "no kernel: name a Linux image with --kernel");
        if (options->json && !options->dump)
            command_line_error(state, "--json is for --dump; name both, or neither");
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
            "Runs a Linux VM on KVM, with connections of a hub: `crossvm run`, `crossvm hub` or `crossvm pair`.\v"
            "The guest's console is standard input and output. Exit status: what the guest stored to I/O port 0xf4 "
            "(x86-64) or address 0x9010000 (arm64); 0 after a power-off; 71 after a reset, which a reboot and a panic "
            "ask for; 70 when the guest crashed; 72 when it could not start; 128 and the signal's number after SIGINT, "
            "SIGTERM or SIGHUP, which end the VM. Limits: the guest's kernel needs ACPI and the IOAPIC on x86-64, and "
            "pages of 4 KiB where its programs use connections.",
    };
    *options = (struct options){
        .name = "vm",
        .command_line = "",
        .memory = 256 * MIB,
        .vcpus = 1,
    };
    command_line_parse(&argp, 0, argc, argv, options);
}

void options_free(struct options *options)
{
    free((void *)options->joins);
}
