/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of crossvm-vm.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What the guest's command line begins with: the console is a serial port, and a panic resets, which ends the VM. */
#define COMMAND_LINE_START "console=ttyS0 panic=-1 "

/** All options. Strings belong to the command line. */
struct options {
    const char *name;
    const char *kernel;
    const char *initramfs;
    const char *command_line; /**< what follows COMMAND_LINE_START; both fit into KVM_COMMAND_LINE_MAX */
    size_t memory;            /**< bytes */
    unsigned int vcpus;
    int gic;          /**< version, or 0 for the best */
    const char *user; /**< to go on as, when root started the program; NULL: one of its own */
    bool no_sandbox;
    bool stats;
    bool dump;
    bool json;          /**< dump as JSON */
    const char **joins; /**< a socket for each connection: its path, or the number of a descriptor */
    size_t num_joins;
};

/** Reads and checks the command line. When it is wrong, prints a sentence and ends the process. */
void options_parse(struct options *options, int argc, char **argv);

/** Frees what options_parse() allocated. */
void options_free(struct options *options);
