/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands of the tool share. */
#pragma once

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/crossvm.h>

#include "../common/exit_status.h"
#include "../common/message.h"
#include "../common/size.h"

/** A command: runs with argv[0] "crossvm COMMAND" and gives an exit status. */
typedef int tool_command(int argc, char **argv);

tool_command cmd_ls, cmd_info, cmd_emit, cmd_wait, cmd_read, cmd_write, cmd_run;
tool_command cmd_cat, cmd_send, cmd_recv, cmd_ping, cmd_echo, cmd_bench, cmd_pair;

/** For argp.help_filter of each command: leaves out a note that helps nobody. */
char *tool_help_filter(int key, const char *text, void *input);

/** Parses a command line. Ends the process for --help, --usage, --version and usage errors. */
void tool_parse(const struct argp *argp, int argc, char **argv, void *input);

/** Takes the one argument NAME of a command; ends the process when there is a second one. */
void tool_take_name(struct argp_state *state, const char **name, char *argument);

/** Parses a decimal number; anything else is a usage error. */
uint64_t tool_parse_number(struct argp_state *state, const char *what, const char *text);

/** Parses a size (size_parse()); anything else is a usage error. */
uint64_t tool_parse_size(struct argp_state *state, const char *what, const char *text);

/** Opens an end, or says why not. NULL on an error. */
crossvm_end_t *tool_open(const char *name);
