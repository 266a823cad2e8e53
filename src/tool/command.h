/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands of the tool, and what all of them use. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <crossvm/crossvm.h>

#include "../common/command_line.h"
#include "../common/exit_status.h"
#include "../common/message.h"
#include "../common/size.h"

/** A command: runs with argv[0] "crossvm COMMAND" and gives an exit status. */
typedef int command_function(int argc, char **argv);

command_function cmd_ls, cmd_info, cmd_emit, cmd_wait, cmd_read, cmd_write, cmd_cat, cmd_send, cmd_recv, cmd_ping,
    cmd_echo, cmd_bench, cmd_forward, cmd_net, cmd_pair, cmd_hub, cmd_run, cmd_vmm_args, cmd_attach, cmd_detach,
    cmd_top, cmd_record, cmd_replay, cmd_bridge;

/** The VMMs that `crossvm vmm-args` knows; NULL is behind the last. */
extern const char *const vmm_words[];
