/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process of a VM, with its console.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "console_socket.h"
#include "output.h"
#include "topology.h"
#include "vm_program.h"

struct vm_process {
    const struct topology_vm *vm;
    pid_t pid;        /**< 0: it does not run */
    int64_t start_ms; /**< when that was tried last, of CLOCK_MONOTONIC; 0: never */
    bool draining;    /**< it has ended, and not all that it printed is passed on */
    bool failed;      /**< how it ended last */
    char how[64];     /**< ... in words */

    char prefix[CROSSVM_FULL_NAME_BYTES + 8];
    int console;               /**< this process's side of its standard input and output, or -1 */
    struct console_socket *at; /**< where its console is, or NULL */
    struct lines lines;        /**< of its console, if it is on standard output */
    int messages;              /**< this process's side of its standard error, or -1 */
    struct lines message_lines;
};

/**
 * Prepares to run a VM: opens its console's socket.
 *
 * @param width of prefixes: of the longest name
 * @return 0, or -1 after a message; vm_process_destroy() frees, also after a failure
 */
int vm_process_create(struct vm_process *process, const struct topology_vm *vm, int width, struct output *out,
                      struct output *messages);

/** When it does not run. */
void vm_process_destroy(struct vm_process *process);

/** Starts it, when it neither runs nor drains. 0, or -1 after a message. */
int vm_process_start(struct vm_process *process, const struct vm_command *command);

/** Takes note of its end, with the status that wait() gave. From now on it drains. */
void vm_process_ended(struct vm_process *process, int status);

/** Passes on what is left of its output, as far as there is room. True when that was the last of it. */
bool vm_process_drain(struct vm_process *process);

/** What to poll for. */
struct pollfd vm_process_console_wishes(const struct vm_process *process);
struct pollfd vm_process_message_wishes(const struct vm_process *process);

/** Passes on what it printed. */
void vm_process_read_console(struct vm_process *process);
void vm_process_read_messages(struct vm_process *process);

/** Passes on what the console's client typed. */
void vm_process_type(struct vm_process *process);

/** Milliseconds of CLOCK_MONOTONIC. */
int64_t now_ms(void);
