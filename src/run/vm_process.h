/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process of a VM, with its console.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "console_file.h"
#include "console_socket.h"
#include "output.h"
#include "restart.h"
#include "starter.h"
#include "topology.h"

struct vm_process {
    const struct topology_vm *vm;
    size_t index;            /**< of the VM in its topology */
    struct starter *starter; /**< starts it */
    bool running;
    int64_t start_ms; /**< when its start was tried last (src/common/clock.h); 0: never */
    bool draining;    /**< it has ended, and not all that it printed is passed on */
    bool failed;      /**< how it ended last */
    bool not_started; /**< ... before it ran */
    bool has_run;     /**< once at least */
    char how[64];     /**< ... in words, as the rest of a sentence */
    struct restart restart;

    char prefix[CROSSVM_FULL_NAME_BYTES + 8];
    int console;                   /**< this process's side of the VM's standard input and output; -1: none */
    struct lines lines;            /**< of a console on standard output */
    struct console_socket *socket; /**< of a console at a socket, or NULL */
    struct console_file file;      /**< of a console in a file */
    int messages;                  /**< this process's side of the VM's standard error, or -1 */
    struct lines message_lines;
};

/** Descriptors that a VM takes here: console, messages, a listener and its client or a file. */
#define VM_PROCESS_DESCRIPTORS 4

/**
 * Prepares to run a VM: opens its console's socket.
 *
 * @param index   of the VM in its topology
 * @param width   of prefixes: of the longest name
 * @param starter starts it; it must outlive the process
 * @return 0, or -1 after a message; vm_process_destroy() frees, also after a failure
 */
int vm_process_create(struct vm_process *process, const struct topology *topology, size_t index, int width,
                      struct starter *starter, struct output *out, struct output *messages);

/** Frees a VM that does not run. */
void vm_process_destroy(struct vm_process *process);

/** Starts a VM that neither runs nor drains. 0, or -1 after a message. */
int vm_process_start(struct vm_process *process);

/** Takes note of the VM's end, with the status that wait() gave. From now on it drains. */
void vm_process_ended(struct vm_process *process, int status);

/** Passes on what is left of the VM's output, as far as there is room. True when all of it is passed on. */
bool vm_process_drain(struct vm_process *process);

/** What to poll for. */
struct pollfd vm_process_console_wishes(const struct vm_process *process);
struct pollfd vm_process_message_wishes(const struct vm_process *process);

/** Passes on what the VM printed. */
void vm_process_read_console(struct vm_process *process);
void vm_process_read_messages(struct vm_process *process);

/** Prints a line of the runner's own behind the VM's name, without waiting. */
void vm_process_say(struct vm_process *process, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Passes on what the console's client typed. */
void vm_process_type(struct vm_process *process);
