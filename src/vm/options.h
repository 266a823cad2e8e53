/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of crossvm-vm.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/device.h>

#include "../common/dataport_spec.h"

/** What the guest's command line begins with: the console is a serial port, and a panic resets, which ends the VM. */
#define COMMAND_LINE_START "console=ttyS0 panic=-1 "

/** --connection or --join */
struct connection_option {
    int join_fd; /**< socket that describes the connection to another VM; -1: a host program, and what follows */
    char name[CROSSVM_FULL_NAME_BYTES];
    bool base_block_only;
    size_t num_dataports;
    struct dataport_spec dataports[CROSSVM_MAX_DATAPORTS]; /**< the guest is end 0 */
};

/** All options. Strings belong to the command line. */
struct options {
    const char *name;
    const char *kernel;
    const char *initramfs;
    const char *command_line; /**< what follows COMMAND_LINE_START; both fit into KVM_COMMAND_LINE_MAX */
    const char *socket_dir;
    size_t memory; /**< bytes */
    unsigned int vcpus;
    int gic; /**< version, or 0 for the best */
    bool stats;
    bool dump;
    bool json; /**< dump as JSON */
    struct connection_option *connections;
    size_t num_connections;
};

/** Reads and checks the command line. When it is wrong, prints a sentence and ends the process. */
void options_parse(struct options *options, int argc, char **argv);

/** Frees what options_parse() allocated. */
void options_free(struct options *options);
